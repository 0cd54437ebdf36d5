"""Models side by side: worked by hand."""

from __future__ import annotations

import math

import attrs
import pytest

from cfft.errors import ConfigError
from cfft.report.sources.records import AVERAGE, Material, ReportedModel
from cfft.report.summary import spread, summarise
from cfft.scoring.results import SetResult
from cfft.scoring.spread import Spread


def model(label: str, group: str | None = None, **shares: float) -> ReportedModel:
    """Make a model; `photo` is in distribution."""
    sets = {
        name: SetResult("id" if name == "photo" else "ood", top1) for name, top1 in shares.items()
    }
    return ReportedModel(
        label=label, source="somewhere", kind="run", group=group or label, sets=sets
    )


def test_seeds_give_mean_and_standard_deviation() -> None:
    assert spread([0.4, 0.6]) == Spread(pytest.approx(0.5), pytest.approx(math.sqrt(0.02)), 2)


def test_one_seed_has_no_standard_deviation() -> None:
    assert spread([0.4]) == Spread(0.4, None, 1)


def test_seeds_of_which_one_lacks_a_set_have_no_mean() -> None:
    assert spread([0.4, None]) is None


def test_the_ood_average_is_the_plain_mean_of_the_ood_sets() -> None:
    found = summarise(Material((model("a", photo=0.9, drawing=0.6, sketch=0.4),)))

    assert found.value(found.material.models[0], AVERAGE) == pytest.approx(0.5)


def test_a_model_without_one_of_the_ood_sets_has_no_ood_average() -> None:
    models = (model("a", photo=0.9, drawing=0.6, sketch=0.4), model("b", photo=0.9, drawing=0.6))

    assert summarise(Material(models)).value(models[1], AVERAGE) is None


def test_sets_in_distribution_come_first() -> None:
    found = summarise(Material((model("a", drawing=0.6, photo=0.9),)))

    assert (list(found.sets), found.id_set) == (["photo", "drawing"], "photo")


def test_models_of_one_group_and_alpha_are_one_row() -> None:
    models = (model("a0", "a", photo=0.9), model("b", photo=0.9), model("a1", "a", photo=0.8))

    groups = summarise(Material(models)).groups

    assert [(g.name, [m.label for m in g.models]) for g in groups] == [
        ("a", ["a0", "a1"]),
        ("b", ["b"]),
    ]


def test_robustness_is_measured_against_the_chosen_baseline() -> None:
    line = [model(f"model_{x}", photo=x, drawing=x) for x in (0.5, 0.6, 0.8)]
    above = model("soup", photo=0.7, drawing=0.75)

    found = summarise(Material((*line, above)), ["model_*"])

    assert found.baseline == ("model_0.5", "model_0.6", "model_0.8")
    assert found.robustness(above, "drawing") == pytest.approx(0.05)


def test_two_models_make_no_line() -> None:
    models = (model("a", photo=0.9, drawing=0.6), model("b", photo=0.8, drawing=0.6))

    assert summarise(Material(models)).lines == {}


def test_a_baseline_that_nobody_is_called_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"unknown --baseline-line 'soup\*'; there are: a"):
        summarise(Material((model("a", photo=0.9),)), ["soup*"])


def test_models_without_an_id_set_cannot_be_held_against_one() -> None:
    with pytest.raises(ConfigError, match="no model has an ID set, only drawing"):
        summarise(Material((model("a", drawing=0.9),)))


def test_a_few_models_make_a_line_only_where_they_are_named() -> None:
    models = tuple(model(f"m{i}", photo=0.5 + i / 10, drawing=0.4 + i / 10) for i in range(4))

    assert summarise(Material(models)).lines == {}
    assert summarise(Material(models), baseline=["m*"]).lines.keys() == {"drawing", AVERAGE}


def test_a_baseline_may_be_named_by_the_paths_of_runs_but_not_by_a_file_of_many_models() -> None:
    run = attrs.evolve(model("a", photo=0.9), source="runs/a", is_run=True)
    imported = attrs.evolve(model("b", photo=0.8), source="runs/all.jsonl")

    assert summarise(Material((run, imported)), ["runs/*"]).baseline == ("a",)
