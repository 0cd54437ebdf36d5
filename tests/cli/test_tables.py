"""The table at the end of a run, and where it says things are."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from cfft.cli.tables import print_results, print_whereabouts


def score(role: str, top1: float, n: int) -> dict[str, Any]:
    return {"role": role, "top1": top1, "n": n, "classes": 7, "ci95": [top1 - 0.1, top1 + 0.1]}


RESULTS: dict[str, Any] = {
    "sets": {"photo": score("id", 0.9, 100), "art": score("ood", 0.5, 200)},
    "ood_average": 0.5,
    "before": {
        "sets": {"photo": score("id", 0.8, 100), "art": score("ood", 0.55, 200)},
        "ood_average": 0.55,
    },
}


def table_of(results: dict[str, Any]) -> list[list[str]]:
    console = Console(file=StringIO(), width=100, markup=False)
    print_results(console, results)
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "│" in line]


def test_every_set_is_shown_before_and_after_with_the_difference_in_points() -> None:
    assert table_of(RESULTS) == [
        ["photo (ID)", "80.0", "90.0", "+10.0", "100", "80.0 to 100.0"],
        ["art (OOD)", "55.0", "50.0", "-5.0", "200", "40.0 to 60.0"],
        ["OOD average", "55.0", "50.0", "-5.0", "", ""],
    ]


def test_a_run_without_ood_sets_has_no_average() -> None:
    only_id = {
        "sets": {"photo": score("id", 0.9, 100)},
        "ood_average": None,
        "before": {"sets": {"photo": score("id", 0.8, 100)}, "ood_average": None},
    }

    assert table_of(only_id)[-1] == ["OOD average", "-", "-", "-", "", ""]


def test_the_command_that_repeats_a_run_can_be_copied(tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=40, markup=False)

    print_whereabouts(console, Path("a run/[1]"))

    assert isinstance(console.file, StringIO)
    *_, repeat = console.file.getvalue().splitlines()
    assert repeat == "repeat    cfft run --config 'a run/[1]/config.toml' --out NEW_DIRECTORY"
