"""The table at the end of a run, and where it says things are."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from cfft.cli.output.tables import print_results, print_whereabouts
from cfft.runtime.json_files import structured
from cfft.training.results import RunResults


def score(role: str, top1: float, n: int, classes: int = 7) -> dict[str, Any]:
    interval = [top1 - 0.1, top1 + 0.1]
    return {"role": role, "top1": top1, "n": n, "classes": classes, "ci95": interval}


RESULTS: dict[str, Any] = {
    "sets": {"photo": score("id", 0.9, 100), "art": score("ood", 0.5, 200)},
    "ood_average": 0.5,
    "before": {
        "sets": {"photo": score("id", 0.8, 100), "art": score("ood", 0.55, 200)},
        "ood_average": 0.55,
    },
}


def printed(results: dict[str, Any]) -> list[str]:
    console = Console(file=StringIO(), width=100, markup=False)
    print_results(console, structured({"config": {}, **results}, RunResults, "results.json"))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def table_of(results: dict[str, Any]) -> list[list[str]]:
    lines = printed(results)
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "│" in line]


def test_every_set_is_shown_before_and_after_with_the_difference_in_points() -> None:
    assert table_of(RESULTS) == [
        ["photo (ID)", "80.0", "90.0", "+10.0", "100", "7", "80.0 to 100.0"],
        ["art (OOD)", "55.0", "50.0", "-5.0", "200", "7", "40.0 to 60.0"],
        ["OOD average", "55.0", "50.0", "-5.0", "", "", ""],
    ]


def test_a_run_without_ood_sets_has_no_average() -> None:
    only_id = {
        "sets": {"photo": score("id", 0.9, 100)},
        "ood_average": None,
        "before": {"sets": {"photo": score("id", 0.6, 100)}, "ood_average": None},
    }

    assert table_of(only_id)[-1] == ["OOD average", "-", "-", "-", "", "", ""]
    assert printed(only_id)[-1] == "In distribution +30.0 points."


def test_a_sentence_says_what_was_gained_and_whether_the_intervals_tell_it_from_nothing() -> None:
    assert printed(RESULTS)[-2:] == [
        "In distribution +10.0 points, out of distribution -5.0 points on average.",
        "For every set the 95 % intervals before and after overlap.",
    ]


def test_one_set_with_separate_intervals_is_enough_for_no_such_remark() -> None:
    sets = {**RESULTS["sets"], "art": score("ood", 0.2, 200)}

    assert printed({**RESULTS, "sets": sets, "ood_average": 0.2})[-1] == (
        "In distribution +10.0 points, out of distribution -35.0 points on average."
    )


def test_sets_with_other_numbers_of_classes_are_pointed_out() -> None:
    sets = {**RESULTS["sets"], "art": score("ood", 0.5, 200, classes=5)}
    caption = "predictions are among the classes of each set"

    assert caption in "\n".join(printed({**RESULTS, "sets": sets}))
    assert caption not in "\n".join(printed(RESULTS))


def test_the_command_that_repeats_a_run_can_be_copied(tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=40, markup=False)

    print_whereabouts(console, Path("a run/[1]"))

    assert isinstance(console.file, StringIO)
    *_, repeat = console.file.getvalue().splitlines()
    assert repeat == "repeat    cfft run --config 'a run/[1]/config.toml' --out NEW_DIRECTORY"


def by_class(*shares: float) -> list[dict[str, Any]]:
    return [{"name": n, "n": 10, "top1": top1} for n, top1 in zip("ab", shares, strict=False)]


def test_few_classes_are_shown_one_by_one_on_the_id_set_and_the_worst_ood_set() -> None:
    sets = {
        "photo": {**score("id", 0.9, 20), "by_class": by_class(1.0, 0.8)},
        "art": {**score("ood", 0.5, 20), "by_class": by_class(0.7, 0.3)},
        "toy": {**score("ood", 0.4, 10), "by_class": by_class(0.4)},
    }
    before = {**sets, "photo": {**sets["photo"], "by_class": by_class(0.5, 0.6)}}
    found = {**RESULTS, "classes": ["a", "b"], "sets": sets, "before": {"sets": before}}

    assert table_of(found)[-2:] == [
        ["a", "50.0", "100.0", "40.0", "40.0"],
        ["b", "60.0", "80.0", "-", "-"],
    ]
    assert table_of({**found, "classes": [*map(str, range(21))]})[-1][0] == "OOD average"


def test_without_accuracies_before_there_are_none_and_no_difference() -> None:
    lines = table_of({**RESULTS, "before": {"sets": {}}})

    assert lines[0] == ["photo (ID)", "-", "90.0", "-", "100", "7", "80.0 to 100.0"]


def test_the_epoch_that_was_kept_is_said_with_the_reason() -> None:
    found = {**RESULTS, "epochs": 4, "best_epoch": 2, "best_val_top1": 0.75}
    training = {"val_metric": "loss", "patience": 2}
    stopped = {"config": {"training": training}, "best_val": 0.5, "stopped_early": True}

    assert printed(found)[-1] == ("Kept: epoch 2 of 4, with the best validation top-1 (75.0 %).")
    assert printed({**found, **stopped})[-1] == (
        "Kept: epoch 2 of 4, with the best validation loss (0.5); stopped early, as --patience 2 "
        "asks."
    )
