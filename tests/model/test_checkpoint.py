"""Checkpoints: complete or refused, replaced in one stroke, free of pickles."""

import errno
import hashlib
import json
from itertools import count
from pathlib import Path
from unittest.mock import Mock

import attrs
import pytest
import safetensors.torch
import torch

from cfft.errors import ConfigError, TrainingError, WeightsError
from cfft.model.checkpoint import Checkpoint, is_checkpoint, load, load_model, save
from cfft.runtime.files import write_text
from cfft.training.schedule import Interval, parse_interval


def checkpoint(value: float = 1.0) -> Checkpoint:
    weights = {"head.weight": torch.full((2, 3), value), "count": torch.tensor(4)}
    return Checkpoint(weights, {"name": "tiny"}, {"0.exp_avg": torch.ones(3)}, {"step": 7})


def test_a_checkpoint_reads_back_as_it_was_saved(tmp_path: Path) -> None:
    save(tmp_path / "last", checkpoint())

    found = load(tmp_path / "last")

    torch.testing.assert_close(found.weights, checkpoint().weights, rtol=0, atol=0)
    torch.testing.assert_close(found.optimizer, {"0.exp_avg": torch.ones(3)}, rtol=0, atol=0)
    assert (found.model, found.state) == ({"name": "tiny"}, {"step": 7})


def test_a_model_without_training_state_reads_back(tmp_path: Path) -> None:
    save(tmp_path / "best", Checkpoint({"w": torch.zeros(1)}, {"name": "tiny"}))

    found = load(tmp_path / "best")

    assert (found.optimizer, found.state, found.model) == (None, None, {"name": "tiny"})


def test_every_file_is_safetensors_or_json(tmp_path: Path) -> None:
    save(tmp_path / "last", checkpoint())

    suffixes = {path.suffix for path in (tmp_path / "last").iterdir()}

    assert suffixes == {".safetensors", ".json"}


def test_the_newer_checkpoint_replaces_the_older_and_leaves_nothing_beside_it(
    tmp_path: Path,
) -> None:
    save(tmp_path / "last", checkpoint(1.0))

    save(tmp_path / "last", checkpoint(2.0))

    assert load_model(tmp_path / "last").weights["head.weight"].unique().item() == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def test_a_checkpoint_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer, read = [checkpoint(2.0)], safetensors.torch.load_file

    def load_file(path: str) -> dict[str, torch.Tensor]:
        found = read(path)
        if newer:
            save(tmp_path / "last", attrs.evolve(newer.pop(), state={"step": 8}))
        return found

    save(tmp_path / "last", checkpoint(1.0))
    monkeypatch.setattr("safetensors.torch.load_file", load_file)

    found = load(tmp_path / "last")

    assert found.weights["head.weight"].unique().item() == 2.0
    assert found.state == {"step": 8}


def test_a_checkpoint_that_is_replaced_all_the_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = count()

    def load_file(path: str) -> dict[str, torch.Tensor]:
        save(tmp_path / "best", checkpoint(next(values)))
        return {}

    save(tmp_path / "best", checkpoint(-1.0))
    monkeypatch.setattr("safetensors.torch.load_file", load_file)

    with pytest.raises(WeightsError, match="wait until the run that writes it has ended"):
        load_model(tmp_path / "best")


@pytest.mark.parametrize(
    ("name", "says"),
    [("weights.safetensors", "is no safetensors file"), ("state.json", "is no JSON file")],
)
def test_a_file_that_was_replaced_together_with_its_digest_is_named(
    tmp_path: Path, name: str, says: str
) -> None:
    save(tmp_path / "last", checkpoint())
    manifest = tmp_path / "last" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["files"][name]["sha256"] = hashlib.sha256(b"odd").hexdigest()
    manifest.write_text(json.dumps(content))
    (tmp_path / "last" / name).write_bytes(b"odd")

    with pytest.raises(WeightsError, match=says):
        load(tmp_path / "last")


def test_the_older_checkpoint_counts_where_the_machine_stopped_between_two_renames(
    tmp_path: Path,
) -> None:
    save(tmp_path / "last", checkpoint(1.0))
    (tmp_path / "last").rename(tmp_path / "last.previous")

    found = load(tmp_path / "last")

    assert found.weights["head.weight"].unique().item() == 1.0


def test_the_older_checkpoint_goes_only_once_a_newer_one_is_in_place(tmp_path: Path) -> None:
    save(tmp_path / "last", checkpoint(1.0))
    (tmp_path / "last").rename(tmp_path / "last.previous")

    save(tmp_path / "last", checkpoint(2.0))

    assert load(tmp_path / "last").weights["head.weight"].unique().item() == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def test_a_directory_that_is_no_checkpoint_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "last").mkdir()
    (tmp_path / "last" / "mine.txt").write_text("mine")

    with pytest.raises(WeightsError, match=r"last holds other files than a checkpoint's"):
        save(tmp_path / "last", checkpoint())

    assert [path.name for path in tmp_path.rglob("*")] == ["last", "mine.txt"]


def test_a_full_disk_is_told_with_the_directory_and_gets_its_room_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "last", checkpoint(1.0))
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("cfft.model.checkpoint._write_json", Mock(side_effect=full))

    with pytest.raises(OSError, match="No space left") as error:
        save(tmp_path / "last", checkpoint(2.0))

    assert error.value.filename == str(tmp_path / "last")
    assert [path.name for path in tmp_path.iterdir()] == ["last"]
    assert load_model(tmp_path / "last").weights["head.weight"].unique().item() == 1.0


@pytest.mark.parametrize("left", ["last.previous", "last.partial"])
def test_what_cannot_be_removed_is_told_before_anything_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    save(tmp_path / "last", checkpoint(1.0))
    (tmp_path / left).mkdir()
    (tmp_path / left / ".nfs01").touch()

    def stays(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise OSError(errno.EBUSY, "Device or resource busy", str(path / ".nfs01"))

    monkeypatch.setattr("shutil.rmtree", stays)
    with pytest.raises(OSError, match="busy") as error:
        save(tmp_path / "last", checkpoint(2.0))

    assert error.value.filename == str(tmp_path / left / ".nfs01")
    assert load_model(tmp_path / "last").weights["head.weight"].unique().item() == 1.0


def test_what_an_interrupted_writer_left_is_no_checkpoint_and_in_nobodys_way(
    tmp_path: Path,
) -> None:
    (tmp_path / "last.partial").mkdir()
    (tmp_path / "last.partial" / "weights.safetensors").write_bytes(b"half")

    assert not is_checkpoint(tmp_path / "last")
    save(tmp_path / "last", checkpoint())

    assert is_checkpoint(tmp_path / "last")


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_file_is_named_with_both_digests(tmp_path: Path, name: str) -> None:
    save(tmp_path / "last", checkpoint())
    content = (tmp_path / "last" / name).read_bytes()
    (tmp_path / "last" / name).write_bytes(content[:-1] + b"!")

    with pytest.raises(WeightsError, match=rf"{name} is damaged.*[0-9a-f]{{64}}.*[0-9a-f]{{64}}"):
        load(tmp_path / "last")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    save(tmp_path / "last", checkpoint())
    (tmp_path / "last" / "model.json").unlink()

    with pytest.raises(WeightsError, match=r"incomplete: it has no model\.json"):
        load(tmp_path / "last")


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    save(tmp_path / "last", checkpoint())
    (tmp_path / "last" / "manifest.json").write_text("{")

    with pytest.raises(WeightsError, match=r"manifest\.json: no manifest that cfft wrote"):
        load(tmp_path / "last")


def test_a_directory_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no checkpoint in"):
        load(tmp_path)


def test_weights_that_are_not_finite_leave_the_last_good_checkpoint_intact(tmp_path: Path) -> None:
    save(tmp_path / "last", checkpoint(1.0))

    with pytest.raises(TrainingError, match=r"'head\.weight'.*last good checkpoint is intact"):
        save(tmp_path / "last", checkpoint(float("nan")))

    assert load(tmp_path / "last").weights["head.weight"].unique().item() == 1.0


@pytest.mark.parametrize(
    ("text", "interval"),
    [(None, Interval()), ("100", Interval(steps=100)), ("15m", Interval(seconds=900.0))],
)
def test_intervals_are_steps_or_minutes(text: str | None, interval: Interval) -> None:
    assert parse_interval(text) == interval


@pytest.mark.parametrize("text", ["0", "-5", "5s", "m", "1.5m", "often"])
def test_other_intervals_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=rf"checkpoint_every: got '{text}'.*15m"):
        parse_interval(text)


@pytest.mark.parametrize(
    ("interval", "due"),
    [
        (Interval(), False),
        (Interval(steps=3), True),
        (Interval(steps=4), False),
        (Interval(seconds=60.0), True),
        (Interval(seconds=61.0), False),
    ],
)
def test_an_interval_is_due_once_it_has_passed(interval: Interval, due: bool) -> None:
    assert interval.is_due(steps_since=3, seconds_since=60.0) is due


def test_a_text_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("old and longer")

    write_text(tmp_path / "results.json", "new")

    assert (tmp_path / "results.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_text_that_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("old")

    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "labels.csv", "caf\udce9.png")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"labels.csv": "old"}
