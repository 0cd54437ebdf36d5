"""A run's directory and what results.json says, without a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch

from cfft.errors import ConfigError, DataError, WeightsError
from cfft.model.checkpoint import Checkpoint, save
from cfft.plugin.registry import Registry
from cfft.runtime.files import check_free
from cfft.runtime.json_files import write_json
from cfft.scoring.results import Role, SetResult
from cfft.scoring.spread import Spread
from cfft.training.entry import planned_run
from cfft.training.results import Gains, MergeResults, ModelResults, RunResults
from cfft.training.run_directory import RunDirectory, check_checkpoints
from cfft.training.state import KeptEpoch, RunState


def results(**top1: float) -> ModelResults:
    """Return what is said of a model; `photo` is in distribution."""
    roles: dict[str, Role] = dict.fromkeys(top1, "ood") | {"photo": "id"}
    return ModelResults.of({name: SetResult(roles[name], share) for name, share in top1.items()})


def test_every_set_is_recorded_with_its_role_and_the_ood_sets_with_their_mean() -> None:
    found = results(photo=0.9, art=0.4, snow=0.6)

    roles = {name: (entry.role, entry.top1) for name, entry in found.sets.items()}
    assert roles == {"photo": ("id", 0.9), "art": ("ood", 0.4), "snow": ("ood", 0.6)}
    assert found.ood_average == pytest.approx(0.5)


def test_gains_are_after_minus_before_by_set_and_for_the_average() -> None:
    found = Gains.between(results(photo=0.5, art=0.4), results(photo=0.8, art=0.3))

    assert found.sets == pytest.approx({"photo": 0.3, "art": -0.1})
    assert found.ood_average == pytest.approx(-0.1)


def test_without_ood_sets_there_is_no_average_to_gain() -> None:
    found = Gains.between(results(photo=0.5), results(photo=0.75))

    assert found == Gains({"photo": 0.25}, None)


def test_a_spread_divides_by_one_run_less_and_one_run_has_none() -> None:
    assert Spread.of([0.2, 0.4, 0.6]) == Spread(pytest.approx(0.4), pytest.approx(0.2), 3)
    assert Spread.of([0.2]) == Spread(0.2, None, 1)


@pytest.mark.parametrize("place", ["new", "deep/new", "empty"])
def test_a_directory_that_is_empty_or_can_be_made_is_free(place: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    check_free(tmp_path / place)

    assert [found.name for found in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("file", "file is a file: give a directory"),
        ("file/new", "cannot be made: .*file is a file"),
        ("full", "full is not empty: give another directory, or rest"),
    ],
)
def test_a_directory_that_cannot_be_filled_is_refused(
    place: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "full" / "something").mkdir(parents=True)
    (tmp_path / "file").write_text("mine")

    with pytest.raises(ConfigError, match=says):
        check_free(tmp_path / place, ", or rest")


def test_results_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    sets = {"photo": SetResult("id", 0.9, 10, 2, (0.8, 1.0))}
    written = RunResults(
        config={"seed": 3, "loss": [{"use": "wise-kd"}]},
        sets=sets,
        before=ModelResults(sets),
        classes=("cat", "dog"),
        skipped=({"set": "train", "path": "a.jpg", "reason": "truncated"},),
        best_val_top1=0.75,
    )

    assert run.read_results() is None
    write_json(run.results, written)
    assert run.read_results() == written


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"schema": 1', r"results\.json: no results that cfft wrote"),
        ("[]", "no results that cfft wrote"),
        ('{"schema": 2}', "schema 2, this version of cfft reads 1"),
    ],
)
def test_results_of_others_are_refused_by_name(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(text)

    with pytest.raises(DataError, match=says):
        RunDirectory(tmp_path).read_results()


@pytest.mark.parametrize(
    ("keywords", "name"),
    [
        ({}, "shapes-best-seed0"),
        ({"recipe": "vanilla", "epochs": 1, "seed": 2}, "shapes-vanilla-seed2"),
        ({"recipe": "vanilla", "average": "ema"}, "shapes-vanilla-ema-seed0"),
        ({"mask": "object"}, "shapes-object-single-seed0"),
    ],
)
def test_a_run_directory_has_the_name_of_a_whole_recipe_else_those_of_strategies(
    keywords: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert planned_run(Registry.installed(), keywords).out == Path("runs", name)


@pytest.fixture
def stored(tmp_path: Path) -> RunDirectory:
    """Store the checkpoints of a run that keeps the two best of its three epochs."""
    run, content = RunDirectory(tmp_path), Checkpoint({"w": torch.ones(1)}, {})
    state = RunState(epoch=3, best_epoch=3, kept=(KeptEpoch(3, 0.5), KeptEpoch(2, 0.4)))
    for place in (run.best, run.unmerged, run.epoch(2), run.epoch(3)):
        save(place, content)
    save(run.last, attrs.evolve(content, state={"run": state.record()}))
    return run


def finish(run: RunDirectory) -> None:
    """Store results that count on all of these checkpoints."""
    merged, before = MergeResults(merge="wise"), ModelResults({})
    found = RunResults(config={}, sets={}, before=before, kept_epochs=(3, 2), merge=merged)
    write_json(run.results, found)


@pytest.mark.parametrize("name", ["best", "epoch-2", "epoch-3"])
def test_a_checkpoint_that_a_run_counts_on_is_missed_before_training_goes_on(
    name: str, stored: RunDirectory
) -> None:
    check_checkpoints(stored)
    shutil.rmtree(stored.last.with_name(name))

    with pytest.raises(WeightsError, match=f"the checkpoint {name} of the run in .* is gone or"):
        check_checkpoints(stored)


@pytest.mark.parametrize("name", ["last", "best", "epoch-2", "epoch-3"])
def test_a_damaged_checkpoint_is_named_before_training_goes_on(
    name: str, stored: RunDirectory
) -> None:
    (stored.last.with_name(name) / "weights.safetensors").write_bytes(b"half")

    with pytest.raises(WeightsError, match=rf"{name}/weights\.safetensors is damaged"):
        check_checkpoints(stored)


@pytest.mark.parametrize("has_last", [True, False])
@pytest.mark.parametrize("name", ["best", "unmerged", "epoch-2", "epoch-3"])
def test_a_finished_run_has_all_its_models(name: str, has_last: bool, stored: RunDirectory) -> None:
    finish(stored)
    check_checkpoints(stored)
    shutil.rmtree(stored.last.with_name(name))
    if not has_last:
        shutil.rmtree(stored.last)

    with pytest.raises(WeightsError, match=f"the checkpoint {name} of the run in .* is gone or"):
        check_checkpoints(stored)


def test_a_finished_run_that_is_made_longer_has_the_epochs_that_its_last_checkpoint_names(
    stored: RunDirectory,
) -> None:
    finish(stored)
    state = RunState(epoch=4, best_epoch=4, kept=(KeptEpoch(4, 0.6), KeptEpoch(3, 0.5)))
    content = Checkpoint({"w": torch.ones(1)}, {}, state={"run": state.record()})
    save(stored.last, content)
    save(stored.epoch(4), content)
    shutil.rmtree(stored.epoch(2))

    check_checkpoints(stored)


def test_what_was_left_of_an_epoch_that_is_not_there_is_removed(stored: RunDirectory) -> None:
    stored.epoch(2).rename(stored.last.with_name("epoch-7.partial"))
    (stored.last.with_name("epoch-7.partial") / "manifest.json").unlink()
    stored.epoch(3).rename(stored.last.with_name("epoch-3.previous"))

    stored.tidy()

    assert sorted(stored.epochs()) == [3]
    assert not stored.last.with_name("epoch-7.partial").exists()
