"""Runs that `cfft eval` measured again: known wherever they lie, and never another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cfft.config.comparison import configuration_digest
from cfft.report.sources.collect import collect
from cfft.report.sources.records import Material
from cfft.training.run_directory import RunDirectory

Write = Callable[..., Path]
METHOD = {"mask": {"use": "object"}, "fill": {"use": "single"}}


def measured_again(run: Path, **more: Any) -> dict[str, Any]:
    """Return what evaluation.json says of a run: other accuracies on as many images."""
    content = RunDirectory(run).read_results()
    assert content is not None
    ood = {"role": "ood", "top1": 0.65, "n": 10}
    return {
        "model": run.name,
        "source": "as typed",
        "kind": "run",
        "group": "again",
        "seed": content.seed,
        "configuration": configuration_digest(content.config),
        "run_digest": RunDirectory(run).read_digest(),
        "sets": {"photo": {"role": "id", "top1": 0.85, "n": 10}, "drawing": ood, "sketch": ood},
        **more,
    }


def on_photo(material: Material) -> list[float]:
    """Return the ID accuracies of all models that are not the one before."""
    return [model.sets["photo"].top1 for model in material.models if not model.is_start]


def test_a_run_that_was_measured_again_is_one_model_with_its_ensembles(
    write_run: Write, write_evaluation: Write
) -> None:
    run = write_run("a", (0.8, 0.7, 0.6), **METHOD)
    measured = measured_again(run)
    mixed = measured_again(run, model="mix", alpha=0.5)

    found = collect([str(run), str(write_evaluation("e", models=[measured, mixed]))], [])

    assert [(model.label, model.group) for model in found.models] == [
        ("a, before", "before, tiny"),
        ("a", "object + single"),
        ("mix", "object + single"),
    ]


def test_a_run_keeps_its_numbers_beside_a_measurement_of_fewer_images(
    write_run: Write, write_evaluation: Write
) -> None:
    run = write_run("a", (0.8, 0.7, 0.6), **METHOD)
    ood = {"role": "ood", "top1": 0.9, "n": 5}
    sets = {"photo": {"role": "id", "top1": 0.9, "n": 5}, "drawing": ood, "sketch": ood}
    fewer = measured_again(run, sets=sets)

    found = collect([str(run), str(write_evaluation("e", models=[fewer]))], [])

    assert on_photo(found) == [0.8, 0.9]


def test_the_evaluation_of_another_project_takes_no_place_of_a_run(
    write_run: Write, write_evaluation: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_run("A/runs/0", (0.7, 0.6, 0.5))
    evaluation = write_evaluation("A/ev", models=[measured_again(other, source="runs/0")])
    write_run("B/runs/0", (0.8, 0.7, 0.6))
    monkeypatch.chdir(tmp_path / "B")

    found = collect(["runs/0", str(evaluation)], [])

    assert on_photo(found) == [0.8, 0.85]


def test_a_run_is_known_again_wherever_it_and_its_evaluation_lie(
    write_run: Write, write_evaluation: Write, tmp_path: Path
) -> None:
    run = write_run("runs/a", (0.8, 0.7, 0.6))
    evaluation = write_evaluation("e", models=[measured_again(run, source="../runs/a")])
    moved = run.rename(tmp_path / "kept")

    found = collect([str(moved), str(evaluation.rename(tmp_path / "else"))], [])

    assert on_photo(found) == [0.85]


@pytest.mark.parametrize("other", [{"run_digest": None}, {"configuration": "x"}, {"seed": 1}])
def test_what_may_be_another_run_stands_beside_it(
    write_run: Write, write_evaluation: Write, other: dict[str, Any]
) -> None:
    run = write_run("a", (0.8, 0.7, 0.6))
    measured = measured_again(run, source=str(run), **other)

    found = collect([str(run), str(write_evaluation("e", models=[measured]))], [])

    assert on_photo(found) == [0.8, 0.85]


def test_a_run_measured_on_the_sets_of_another_seed_stands_beside_it(
    write_run: Write, write_evaluation: Write
) -> None:
    run = write_run("a", (0.8, 0.7, 0.6), seed=0)
    evaluation = write_evaluation("e", models=[measured_again(run)], seed=5)

    assert on_photo(collect([str(run), str(evaluation)], [])) == [0.8, 0.85]


def test_a_starting_model_that_was_measured_again_is_one_and_comes_first(
    write_run: Write, write_evaluation: Write
) -> None:
    run = write_run("a", (0.8, 0.7, 0.6))
    shares = {"photo": ("id", 0.6), "drawing": ("ood", 0.55), "sketch": ("ood", 0.5)}
    sets = {name: {"role": role, "top1": s, "n": 10} for name, (role, s) in shares.items()}
    start = {"model": "zero-shot", "group": "zero-shot", "kind": "zero-shot", "sets": sets}

    found = collect([str(run), str(write_evaluation("e", models=[start]))], [])

    assert [(model.label, model.group) for model in found.models] == [
        ("zero-shot", "before, tiny"),
        ("a", "vanilla"),
    ]


def test_another_starting_model_stays_beside_that_of_the_run(
    write_run: Write, write_evaluation: Write
) -> None:
    run = write_run("a", (0.8, 0.7, 0.6))
    sets = {name: {"role": "ood", "top1": 0.4, "n": 10} for name in ("drawing", "sketch")}
    sets["photo"] = {"role": "id", "top1": 0.6, "n": 10}
    start = {"model": "zero-shot", "group": "zero-shot", "kind": "zero-shot", "sets": sets}

    found = collect([str(run), str(write_evaluation("e", models=[start]))], [])

    assert [model.label for model in found.models] == ["a, before", "zero-shot", "a"]
