"""Tables: what cells say, which are the best, and the three formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cfft.report.sources.collect import collect
from cfft.report.sources.records import Material, ReportedModel
from cfft.report.summary import summarise
from cfft.report.tables.accuracies import accuracy_tables, results
from cfft.report.tables.details import details
from cfft.report.tables.formats import (
    comma_separated,
    latex,
    latex_escaped,
    markdown,
    markdown_escaped,
)
from cfft.report.tables.tables import Cell, Column, Table, with_best
from cfft.scoring.results import SetResult

Write = Callable[..., Path]
TABLE = Table(
    "accuracies",
    "Top-1 at 50 %",
    (Column("model"), Column("photo", "percent", "id"), Column("seeds", "count")),
    (
        (Cell("a_b"), Cell(0.5), Cell(1)),
        (Cell("c|d"), Cell(0.75, std=0.015, is_best=True), Cell(None)),
    ),
    ("A note.",),
)


@pytest.mark.parametrize(
    ("form", "value", "words"),
    [
        ("percent", 0.6543, "65.4"),
        ("points", 0.012, "+1.2"),
        ("points", -0.0001, "+0.0"),
        ("count", 72, "72"),
        ("mean", 2 / 3, "0.7"),
        ("number", -0.06596, "-0.066"),
        ("text", "word", "word"),
        ("percent", None, "-"),
    ],
)
def test_a_cell_is_spelt_by_the_form_of_its_column(
    form: str, value: float | str | None, words: str
) -> None:
    assert Column("x", form).spell(Cell(value)) == words


def test_a_cell_over_seeds_has_its_standard_deviation() -> None:
    assert Column("x", "percent").spell(Cell(0.654, std=0.0123)) == "65.4 ± 1.2"


def test_cells_that_look_alike_are_the_best_together() -> None:
    rows = with_best([[Cell(0.7541)], [Cell(0.7539)], [Cell(0.7)], [Cell(None)]], [0])

    assert [row[0].is_best for row in rows] == [True, True, False, False]


def test_a_single_row_is_not_the_best() -> None:
    assert not with_best([[Cell(0.7)]], [0])[0][0].is_best


def test_markdown() -> None:
    assert markdown(TABLE) == (
        "**Top-1 at 50 %**\n\n"
        "| model | photo (ID) | seeds |\n"
        "|---|---:|---:|\n"
        "| a_b | 50.0 | 1 |\n"
        "| c\\|d | **75.0 ± 1.5** | - |\n"
        "\nA note.\n"
    )


def test_latex() -> None:
    assert latex(TABLE) == (
        "% needs \\usepackage{booktabs}\n"
        "\\begin{table}\n\\centering\n"
        "\\caption{Top-1 at 50 \\%. A note.}\n"
        "\\begin{tabular}{lrr}\n\\toprule\n"
        "model & photo (ID) & seeds \\\\\n\\midrule\n"
        "a\\_b & 50.0 & 1 \\\\\n"
        "c|d & \\textbf{75.0 $\\pm$ 1.5} & - \\\\\n"
        "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )


def test_comma_separated_values_are_the_numbers_themselves() -> None:
    assert comma_separated(TABLE) == ("model,photo,photo std,seeds\na_b,0.5,,1\nc|d,0.75,0.015,\n")


@pytest.mark.parametrize(
    ("words", "escaped"),
    [
        ("a_b & 5 % {x}", r"a\_b \& 5 \% \{x\}"),
        (r"C:\x", r"C:\textbackslash{}x"),
        ("-1.5", "$-$1.5"),
        ("R² ~ ^", r"R$^2$ \textasciitilde{} \textasciicircum{}"),
    ],
)
def test_latex_prints_any_name(words: str, escaped: str) -> None:
    assert latex_escaped(words) == escaped


@pytest.mark.parametrize(
    ("words", "escaped"), [("_a_b_", r"\_a_b\_"), ("a*<b>", r"a\*\<b>"), ("a\nb", "a b")]
)
def test_markdown_prints_any_name(words: str, escaped: str) -> None:
    assert markdown_escaped(words) == escaped


def seeds(label: str, *shares: float) -> list[ReportedModel]:
    return [
        ReportedModel(
            label=f"{label}{seed}",
            source="runs",
            kind="run",
            group=label,
            sets={"photo": SetResult("id", share)},
            seed=seed,
        )
        for seed, share in enumerate(shares)
    ]


def test_seeds_are_one_row_of_mean_and_standard_deviation() -> None:
    table = results(summarise(Material((*seeds("a", 0.5, 0.7), *seeds("b", 0.65)))))

    assert [column.title for column in table.columns] == ["model", "seeds", "photo"]
    assert table.spelt() == [["a", "2", "60.0 ± 14.1"], ["b", "1", "65.0"]]


def test_each_model_has_a_table_of_its_own_only_where_there_are_seeds() -> None:
    single = accuracy_tables(summarise(Material(tuple(seeds("a", 0.5)))))
    several = accuracy_tables(summarise(Material(tuple(seeds("a", 0.5, 0.7)))))

    assert [table.name for table in single] == ["results"]
    assert [table.name for table in several] == ["results", "models"]


def test_differences_and_intervals_come_from_the_evaluation(write_evaluation: Write) -> None:
    tables = accuracy_tables(summarise(collect([str(write_evaluation("e"))], [])))

    by_name = {table.name: table for table in tables}
    row = by_name["differences"].spelt()[0]
    assert row == ["mix 1.0", "mix 0.0", "drawing", "+10.0", "+2.0", "+18.0"]
    assert by_name["details"].spelt()[0][:5] == ["mix 0.0", "photo", "60.0", "50.0", "70.0"]


def test_details_have_what_an_evaluation_says_of_classes_and_robustness(
    write_run: Write, write_evaluation: Write
) -> None:
    ood = {"role": "ood", "top1": 0.5, "n": 10}
    measured = {
        "model": "m",
        "group": "m",
        "sets": {"photo": {"role": "id", "top1": 0.75, "n": 10}, "drawing": ood, "sketch": ood},
        "ood_ci95": [0.4, 0.6],
        "id_on_classes_of": {"drawing": 0.9, "sketch": None},
        "effective_robustness": {"drawing": 0.05, "sketch": None, "ood_average": 0.02},
        "effective_robustness_ci95": {"drawing": [-0.01, 0.11], "sketch": None},
    }
    paths = [write_run("a", (0.8, 0.7, 0.6)), write_evaluation("e", models=[measured])]

    table = details(summarise(collect(list(map(str, paths)), [])))

    assert [column.title for column in table.columns[5:]] == [
        *("images", "classes", "ID top-1 on its classes"),
        *("robustness", "robustness, 95 % from", "robustness, 95 % to"),
    ]
    assert table.spelt()[-3:] == [
        ["m", "drawing", "50.0", "-", "-", "10", "-", "90.0", "+5.0", "-1.0", "+11.0"],
        ["m", "sketch", "50.0", "-", "-", "10", "-", "-", "-", "-", "-"],
        ["m", "OOD average", "50.0", "40.0", "60.0", "-", "-", "-", "+2.0", "-", "-"],
    ]
    assert len(table.notes) == 2


def test_details_of_runs_have_no_column_of_what_only_evaluations_say(write_run: Write) -> None:
    table = details(summarise(collect([str(write_run("a", (0.8, 0.7, 0.6)))], [])))

    assert [column.title for column in table.columns[2:]] == [
        *("top-1", "95 % from", "95 % to", "images", "classes"),
    ]
    assert table.notes == ()
