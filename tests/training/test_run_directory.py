"""A run's directory and what results.json says, without a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cfft.errors import ConfigError, DataError
from cfft.plugin.registry import Registry
from cfft.runtime.files import check_free
from cfft.runtime.json_files import write_json
from cfft.scoring.results import Role, SetResult
from cfft.scoring.spread import Spread
from cfft.training.entry import planned_run
from cfft.training.results import Gains, ModelResults, RunResults
from cfft.training.run_directory import RunDirectory


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
