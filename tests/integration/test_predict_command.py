"""`cfft predict`: labels of images, the same as in an evaluation."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cfft.config.layers import Layer, read_defaults
from cfft.config.resolve import resolve
from cfft.data.images import class_folders
from cfft.evaluation.models.load import load
from cfft.evaluation.predict import find_images, likeliest, predict
from cfft.plugin.registry import Registry
from cfft.runtime.devices import make_accelerator
from cfft.runtime.progress import Silent
from cfft.scoring.evaluate import Reading, predictions_on
from cfft.training.run import run

Command = Callable[..., Any]


@pytest.fixture(scope="session")
def stored(
    make_layer: Callable[..., Layer], registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Store the tiny model as a run of no epochs."""
    out = tmp_path_factory.mktemp("stored") / "RUN"
    layer = make_layer(epochs=0, precision="fp32")
    run(resolve(registry, [read_defaults(), layer]), registry, out)
    return out


def test_logits_are_those_of_an_evaluation_to_the_bit(
    stored: Path, world: Path, registry: Registry
) -> None:
    model = load(stored, registry)
    images = class_folders(world / "dark", "dark", model.description.classes)
    reading = Reading(model.description.preprocessing, batch_size=5)
    expected = predictions_on(model.classifier, images, reading, make_accelerator("fp32"))

    found = predict(model, find_images([str(world / "dark")]), 5, 0, "fp32", Silent())

    assert torch.equal(found.logits, expected.logits)
    assert found.names == tuple(str(world / "dark" / path) for path in images.paths)


def test_classes_come_likeliest_first_with_their_share_among_all(
    stored: Path, world: Path, registry: Registry
) -> None:
    model = load(stored, registry)
    found = predict(model, [str(world / "dark" / "red" / "00.png")], 5, 0, "fp32", Silent())

    guesses = list(likeliest(found, model.description.classes, 3))

    shares = [guess.probability for guess in guesses]
    assert [guess.rank for guess in guesses] == [1, 2, 3]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert {guess.label for guess in guesses} == {"blue", "green", "red"}
    assert [model.description.classes[g.class_index] for g in guesses] == [g.label for g in guesses]


def test_files_folders_and_patterns_are_found_once_each(world: Path) -> None:
    red = world / "dark" / "red"

    found = find_images([str(red / "01.png"), f"{world}/d*/red/0[01].png", str(red)])

    assert found == [str(red / f"{number}.png") for number in ("01", "00", "02", "03")]


def test_lines_go_to_stdout_and_nothing_else_does(
    cfft_command: Command, stored: Path, world: Path
) -> None:
    words = ("predict", str(stored), str(world / "dark" / "red"), "--workers", "0")

    table = cfft_command(*words, "--top", "2")
    lines = cfft_command(*words, "--top", "2", "--json")

    rows = list(csv.DictReader(io.StringIO(table.out)))
    records = [json.loads(line) for line in lines.out.splitlines()]
    assert (table.code, len(rows)) == (0, 4 * 2)
    assert list(rows[0]) == ["path", "rank", "label", "class_index", "probability"]
    assert [{k: str(v) for k, v in record.items()} for record in records] == rows


def test_a_file_that_is_made_while_images_are_labelled_stays(
    cfft_command: Command,
    stored: Path,
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def labelled(*given: Any) -> Any:
        (tmp_path / "labels.csv").write_text("another's")
        return predict(*given)

    monkeypatch.setattr("cfft.evaluation.predict.predict", labelled)
    words = ("predict", str(stored), str(world / "dark" / "red"), "--workers", "0")

    ended = cfft_command(*words, "--out", str(tmp_path / "labels.csv"))

    assert ended.code == 2
    kept = tmp_path / "labels-2.csv"
    assert f"labels.csv was taken meanwhile: the labels are in {kept}\n" in ended.err
    assert kept.read_text().startswith("path,rank")
    assert (tmp_path / "labels.csv").read_text() == "another's"


def test_names_with_ends_of_lines_and_commas_are_read_back_from_csv(
    cfft_command: Command, stored: Path, world: Path, tmp_path: Path
) -> None:
    names = ["a\rb.png", "a\nb.png", "a,b.png", 'a"b.png']
    for name in names:
        shutil.copy(world / "dark" / "red" / "00.png", tmp_path / name)

    table = cfft_command("predict", str(stored), str(tmp_path), "--workers", "0")

    rows = list(csv.DictReader(io.StringIO(table.out, newline="")))
    assert {row["path"] for row in rows} == {str(tmp_path / name) for name in names}


def test_names_that_are_no_utf_8_are_written_as_they_are(
    stored: Path, world: Path, tmp_path: Path
) -> None:
    image = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(world / "dark" / "red" / "00.png", image)
    command = [sys.executable, "-m", "cfft", "predict", stored, image, "--workers", "0"]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}  # as in most locales

    shown = subprocess.run(command, stdout=subprocess.PIPE, env=strict, check=True).stdout
    subprocess.run([*command, "--out", tmp_path / "labels.csv"], env=strict, check=True)

    assert shown.splitlines()[1].startswith(image + b",1,")
    assert (tmp_path / "labels.csv").read_bytes() == shown


def test_json_is_utf_8_also_where_names_are_not(stored: Path, world: Path, tmp_path: Path) -> None:
    image = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(world / "dark" / "red" / "00.png", image)
    command = [sys.executable, "-m", "cfft", "predict", stored, image, "--workers", "0", "--json"]

    shown = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout

    assert os.fsencode(json.loads(shown.decode("utf-8"))["path"]) == image


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_was_passed_over_in_a_folder_is_told_on_stderr(
    cfft_command: Command, stored: Path, world: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    shutil.copytree(world / "dark" / "red", tmp_path / "red")
    (tmp_path / "red" / "a.heic").touch()
    (tmp_path / "red" / "@eaDir").mkdir()
    words = ("predict", str(stored), str(tmp_path / "red"), "--workers", "0")

    ended = cfft_command(*words, *more)

    said = f"passed over in {tmp_path / 'red'}: 1 .heic, 1 system: @eaDir"
    assert (ended.code, ended.err.splitlines()[0]) == (0, said)
    assert "passed over" not in ended.out


def test_json_is_the_format_of_json_lines(cfft_command: Command, stored: Path, world: Path) -> None:
    words = ("predict", str(stored), str(world / "dark" / "red"), "--workers", "0")

    assert (
        cfft_command(*words, "--json").out
        == cfft_command(*words, "--format", "jsonl").out
        == cfft_command(*words, "--json", "--format", "jsonl").out
    )


@pytest.mark.parametrize("model", ["checkpoints/best", "checkpoints/last"])
def test_a_checkpoint_serves_like_its_run(
    cfft_command: Command, stored: Path, world: Path, model: str
) -> None:
    words = (str(world / "dark" / "red"), "--workers", "0")

    assert (
        cfft_command("predict", str(stored / model), *words).out
        == cfft_command("predict", str(stored), *words).out
    )


def test_a_merged_checkpoint_serves_as_well(
    cfft_command: Command, stored: Path, world: Path, tmp_path: Path
) -> None:
    merged, red = tmp_path / "merged", str(world / "dark" / "red")
    cfft_command("merge", "wise", str(stored), str(stored), "--out", str(merged))

    ended = cfft_command("predict", str(merged), red, "--workers", "0")

    assert ended.out == cfft_command("predict", str(stored), red, "--workers", "0").out


def test_an_unreadable_image_stops_before_anything_is_written(
    cfft_command: Command, stored: Path, world: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"nothing")
    out = tmp_path / "labels.csv"

    ended = cfft_command(
        "predict", str(stored), str(tmp_path / "broken.png"), str(world), "--out", str(out)
    )

    assert ended.code == 2
    assert "unreadable images: 1; fix, remove or skip them (--skip-unreadable)" in ended.err
    assert f"{tmp_path / 'broken.png'}: no image in a format" in ended.err
    assert not out.exists()


def test_unreadable_images_can_be_left_out_and_are_named(
    cfft_command: Command, stored: Path, world: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"nothing")
    good, out = world / "dark" / "red" / "00.png", tmp_path / "new" / "labels.csv"

    ended = cfft_command(
        *("predict", str(stored), str(tmp_path / "broken.png"), str(good), "--skip-unreadable"),
        *("--out", str(out), "--workers", "0"),
    )

    assert (ended.code, ended.out) == (0, "")
    assert f"warning: left out {tmp_path / 'broken.png'}" in ended.err
    assert [line.partition(",")[0] for line in out.read_text().splitlines()] == ["path", str(good)]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (["nowhere.png"], "nowhere.png: no such file or folder"),
        (["*.nix"], "*.nix: nothing matches this pattern"),
        (["empty"], "empty: no images in this folder"),
        (["full.png", "--top", "4"], "--top 4: the model has only 3 classes"),
        (["full.png", "--out", "full.png"], "--out full.png exists: give another path"),
        (["full.png"], "no image can be read (1 tried)"),
        (["full.png", "--json", "--format", "csv"], "--json writes JSON lines and --format csv"),
    ],
)
def test_what_cannot_be_labelled_ends_with_one_line(
    cfft_command: Command,
    stored: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("full.png").touch()

    ended = cfft_command("predict", str(stored), "--skip-unreadable", *change)

    assert (ended.code, ended.out) == (2, "")
    assert f"error: {line}" in ended.err


def test_a_path_without_a_model_is_named(cfft_command: Command, world: Path) -> None:
    ended = cfft_command("predict", "nowhere", str(world))

    assert ended.code == 2
    assert "nowhere: no weights here; give a run directory" in ended.err


def test_weights_that_do_not_say_their_model_are_no_model(
    cfft_command: Command, stored: Path, world: Path, tmp_path: Path
) -> None:
    bare = shutil.copy(stored / "checkpoints" / "best" / "weights.safetensors", tmp_path)

    ended = cfft_command("predict", str(bare), str(world))

    assert ended.code == 2
    assert "(no model.json beside it): give the run or checkpoint directory" in ended.err
