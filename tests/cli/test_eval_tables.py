"""What people see of an evaluation, in 80 columns."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from cfft.cli.output.eval_tables import print_evaluation
from cfft.evaluation.files.evaluation import EvaluationResults
from cfft.runtime.json_files import structured

LINE = {"slope": 0.5, "intercept": 0.1, "models": 3, "r2": 0.25}


def entry(role: str, top1: float, n: int = 100) -> dict[str, Any]:
    scores = {"class_mean": top1, "top5": 1.0, "ece": 0.05}
    return {"role": role, "top1": top1, "n": n, "classes": 7, "ci95": [0.1, 0.9], **scores}


def model(label: str, art: float | None = 0.5, n: int = 100) -> dict[str, Any]:
    ood = {} if art is None else {"art_painting": entry("ood", art)}
    return {
        "model": label,
        "source": label,
        "kind": "run",
        "group": label,
        "sets": {"photo": entry("id", 0.9, n), **ood},
        "ood_average": art,
        "ood_ci95": None if art is None else [0.4, 0.6],
        "effective_robustness": None,
    }


def record(*models: dict[str, Any], **changes: Any) -> dict[str, Any]:
    gap = {"difference": 0.1, "ci95": [0.05, 0.15]}
    first, *others = (each["model"] for each in models)
    found = {
        "models": list(models),
        "baseline": first if others else None,
        "differences": [{"a": a, "b": first, "ood_average": gap, "sets": {}} for a in others],
        "groups": [],
        "absent": {},
        "skipped": [],
        "label_space": "subset",
        "classes": ["dog"] * 7,
    }
    return found | changes


def shown(found: dict[str, Any], width: int = 80) -> str:
    console = Console(width=width, record=True, markup=False)
    with console.capture() as captured:
        print_evaluation(console, structured(found, EvaluationResults, "evaluation.json"))
    return captured.get()


def row(text: str, name: str) -> list[str]:
    """Return the cells of the first row that begins with `name`."""
    line = next(line for line in text.splitlines() if line.strip("│ ").startswith(name))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_one_model_is_shown_with_every_score() -> None:
    text = shown(record(model("seed0")))

    assert row(text, "photo") == [
        *("photo (ID)", "90.0", "10.0 to 90.0", "90.0", "100.0", "5.0", "100"),
    ]
    assert row(text, "OOD average")[:3] == ["OOD average", "50.0", "40.0 to 60.0"]


def test_what_was_passed_over_in_the_images_is_told() -> None:
    passed = {"art_painting": {".heic": 9, "system: @eaDir": 2}}

    text = shown(record(model("seed0"), passed_over=passed))

    assert "passed over in art_painting: 9 .heic, 2 system: @eaDir" in text.splitlines()


def test_models_stand_side_by_side_under_numbers() -> None:
    text = shown(record(model("seed0"), model("seed1", 0.6)))

    assert row(text, "art_painting") == ["art_painting (OOD)", "50.0", "60.0", "100"]
    assert row(text, "2    ") == ["2", "60.0", "40.0 to 60.0", "+10.0", "+5.0 to +15.0"]


def test_many_models_are_shown_in_several_tables() -> None:
    text = shown(record(*(model(f"seed{number}") for number in range(8))))

    assert text.count("top-1 in percent") == 2


@pytest.mark.parametrize("count", [1, 2, 6])
def test_no_line_is_cut_off_at_80_columns(count: int) -> None:
    text = shown(record(*(model(f"models/of/a/long/name/seed{n}") for n in range(count))))

    assert "…" not in text


def test_test_sets_of_other_sizes_are_both_told() -> None:
    text = shown(record(model("seed0"), model("seed1", n=90)))

    assert row(text, "photo")[-1] == "90/100"


def test_without_ood_sets_there_is_a_dash() -> None:
    text = shown(record(model("seed0", None), model("seed1", None), differences=[]))

    assert row(text, "OOD average") == ["OOD average", "-", "-", ""]


def test_groups_of_seeds_have_mean_and_deviation() -> None:
    spread = {"mean": 0.9, "std": 0.01, "count": 2}
    group = {"group": "object + single", "alpha": None, "models": ["seed0", "seed1"]}
    values = {"sets": {"photo": spread}, "ood_average": None}

    text = shown(record(model("seed0"), model("seed1"), groups=[group | values]))

    assert row(text, "object + single") == ["object + single", "2", "90.0 ± 1.0", "-"]


def test_what_was_not_measured_is_said() -> None:
    skipped = [{"set": "photo", "path": "a.jpg", "reason": "truncated"}]

    text = shown(record(model("seed0"), absent={"sketch": "looked for sketch"}, skipped=skipped))

    assert "not measured: sketch (looked for sketch)" in text
    assert "left out: 1 unreadable" in text


def test_a_line_that_could_not_be_fitted_is_said() -> None:
    text = shown(record(model("seed0"), baseline_line="object*", lines={"ood_average": LINE}))

    assert "no baseline line for art_painting: it needs 3 models" in text


def test_a_set_of_one_class_is_told_to_say_nothing() -> None:
    alone = model("seed0")
    alone["sets"]["art_painting"]["classes"] = 1

    text = shown(record(alone))

    assert "art_painting has a single class, so every prediction is right; see" in text


def test_a_model_without_an_average_is_named_with_the_sets_that_it_lacks() -> None:
    text = shown(record(model("seed0"), model("seed1", art=None)))

    assert "no OOD average of seed1: it was not measured on art_painting" in text


def test_effective_robustness_of_the_average_is_a_row() -> None:
    above = {**model("seed1"), "effective_robustness": {"ood_average": 0.031}}

    text = shown(record(model("seed0"), above))

    assert row(text, "effective rob") == ["effective robustness", "-", "+3.1", ""]


@pytest.mark.parametrize(
    ("slope", "says"),
    [(0.8, "3 models, R² 0.25\n"), (-0.8, "R² 0.25; it falls: models that are better ID")],
)
def test_what_effective_robustness_is_measured_from_is_said(slope: float, says: str) -> None:
    line = {**LINE, "slope": slope}

    text = shown(record(model("seed0"), baseline_line="object*", lines={"ood_average": line}))

    assert says in text


def test_numbers_are_whole_and_models_named_where_the_terminal_is_narrow() -> None:
    models = [model(f"seed{number}") for number in range(4)]

    text = shown(record(*models), width=50)

    assert row(text, "photo (ID)") == ["photo (ID)", "90.0", "90.0", "100"]
    assert "│ 3     │        50.0 │  40.0 to 60.0 │   +10.0 │ +5.0 to +15.0 │" in text
