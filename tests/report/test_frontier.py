"""Sweeps in a report: names of rows, curves, and tables at equal ID accuracy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from cfft.evaluation.compare.frontier import FrontierPoint, FrontierResults, Level, RowAtId
from cfft.evaluation.files.evaluation import Gap
from cfft.report.as_json import as_json
from cfft.report.figures.figures import images
from cfft.report.figures.frontier import frontier
from cfft.report.sources.collect import collect
from cfft.report.summary import Summary, summarise
from cfft.report.tables.frontier import equal_id, points_above
from cfft.report.write import write_report
from cfft.runtime.json_files import write_json
from cfft.scoring.spread import Spread
from cfft.training.sweep.outcome import Outcome, SweepResults

Write = Callable[..., Path]


def once(share: float) -> Spread:
    return Spread(share, None, 1)


def point(row: str, name: str, weight: int | None, *shares: float) -> FrontierPoint:
    sets = dict(zip(("photo", "drawing", "sketch"), map(once, shares), strict=True))
    values = {} if weight is None else {"loss.a.weight": weight}
    gap = Gap(0.01, (-0.005, 0.025)) if row == "plain" else None
    return FrontierPoint(row, name, values, sets, once(sum(shares[1:]) / 2), gap, gap and 0.97)


FOUND = FrontierResults(
    id_set="photo",
    reference="curve",
    points=(
        point("plain", "plain", None, 0.8, 0.7, 0.6),
        point("curve", "curve, weight 1", 1, 0.9, 0.5, 0.4),
        point("curve", "curve, weight 4", 4, 0.7, 0.8, 0.7),
    ),
    levels=(Level(0.9, "curve, weight 1", (RowAtId("curve", 0.45, Gap(0.0, (0.0, 0.0)), 0.5),)),),
)


@pytest.fixture
def sweep(write_run: Write, tmp_path: Path) -> Path:
    """Write a sweep of three runs, whose record names them by where they were made."""
    made = {"plain/seed-0": (0.8, 0.7, 0.6)}
    made |= {"curve/weight-1/seed-0": (0.9, 0.5, 0.4), "curve/weight-4/seed-0": (0.7, 0.8, 0.7)}
    for number, (place, shares) in enumerate(made.items()):
        write_run(f"sweep/{place}", shares, loss=[{"use": "a", "weight": number}])
    runs = [f"elsewhere/sweep/{place}" for place in made]
    rows = [
        Outcome(each.name, (run,), None, each.sets, each.ood_average, each.row, each.values)
        for each, run in zip(FOUND.points, runs, strict=True)
    ]
    before = Outcome("before fine-tuning", (), None, FOUND.points[0].sets, once(0.5))
    results = SweepResults(searched=(), chosen={}, rows=(before, *rows))
    write_json(tmp_path / "sweep" / "sweep.json", results)
    write_json(tmp_path / "sweep" / "frontier.json", FOUND)
    return tmp_path / "sweep"


@pytest.fixture
def summary(sweep: Path) -> Summary:
    return summarise(collect([str(sweep)], []))


def test_runs_of_a_sweep_are_called_as_in_its_table_wherever_it_was_moved(summary) -> None:
    names = [
        model.group for model in summary.material.models if model.is_run and not model.is_start
    ]

    assert names == ["plain", "curve, weight 1", "curve, weight 4"]
    assert [run.group for run in summary.material.runs] == names


def test_a_run_that_is_given_beside_its_sweep_is_there_once(sweep: Path) -> None:
    found = collect([str(sweep), str(sweep / "plain" / "seed-0")], [])

    assert [run.group for run in found.runs] == ["plain", "curve, weight 1", "curve, weight 4"]


def test_points_of_a_row_are_one_series_in_the_order_of_their_values(summary) -> None:
    figure = frontier(summary)

    assert [panel.label for panel in figure.panels] == ["OOD average", "drawing", "sketch"]
    assert figure.panels[0].data["points"].rows == [
        ("plain", "plain", 0, "", 80.0, 65.0),
        ("curve, weight 1", "curve", 1, "1", 90.0, 45.0),
        ("curve, weight 4", "curve", 2, "4", 70.0, 75.0),
    ]


def many(*ids: float) -> FrontierResults:
    """Return points of those ID accuracies, the first of them the mean of two seeds."""
    found = [point(f"row {n}", f"row {n}", n, share, 0.6, 0.5) for n, share in enumerate(ids)]
    found[0] = attrs.evolve(found[0], ood_average=Spread(0.55, 0.01, 2))
    return FrontierResults(id_set="photo", reference="row 0", points=tuple(found), levels=())


def test_a_point_far_from_all_others_is_told_in_the_caption_and_not_drawn(sweep: Path) -> None:
    ids = (0.95, 0.951, 0.952, 0.953, 0.954, 0.955, 0.956, 0.7)
    write_json(sweep / "frontier.json", many(*ids))

    figure = frontier(summarise(collect([str(sweep)], [])))

    assert len(figure.panels[0].data["points"].rows) == 7
    assert "far from the others: row 7 (70.0 ID, 55.0 OOD average)." in figure.description


def test_values_are_printed_at_points_of_several_seeds_where_there_are_any(sweep: Path) -> None:
    write_json(sweep / "frontier.json", many(0.9, 0.8, 0.7))

    figure = frontier(summarise(collect([str(sweep)], [])))

    assert [row[3] for row in figure.panels[0].data["points"].rows] == ["0", "", ""]
    assert "printed at marks of rows with several seeds" in figure.description


def test_the_model_before_fine_tuning_is_a_line(summary: Summary) -> None:
    (start,) = frontier(summary).panels[0].data["start"].rows

    assert start == ("before (60.0 ID)", 52.5)


def test_the_figure_can_be_drawn(summary) -> None:
    ((name, specification),) = frontier(summary).in_files()

    svg, _ = images(specification)

    assert (name, "curve" in svg) == ("frontier", True)


def test_tables_hold_rows_at_equal_id_accuracy_and_points_above_the_curve(summary) -> None:
    (level,), (above,) = equal_id(summary).spelt(), points_above(summary).spelt()

    assert level == [
        *("curve", "curve", "curve, weight 1", "90.0", "45.0", "+0.0", "+0.0", "+0.0", "50.0")
    ]
    assert above == ["plain", "curve", "80.0", "65.0", "+1.0", "-0.5", "+2.5"]


def test_rows_of_two_sweeps_are_told_apart_by_their_places(sweep: Path, tmp_path: Path) -> None:
    sweep.rename(tmp_path / "one")
    other = tmp_path / "other"
    other.mkdir()
    write_json(other / "sweep.json", SweepResults(searched=(), chosen={}, rows=()))
    write_json(other / "frontier.json", FOUND)

    found = collect([str(tmp_path / "one"), str(other)], [])

    assert [source.called("curve") for source in found.frontiers] == [
        f"curve ({tmp_path / 'one'})", f"curve ({other})",
    ]  # fmt: skip


def test_the_page_and_the_json_have_the_frontier(summary, tmp_path: Path) -> None:
    write_report(summary, tmp_path / "report")

    assert 'id="chart-frontier"' in (tmp_path / "report" / "report.html").read_text()
    assert (tmp_path / "report" / "tables" / "equal-id.csv").is_file()
    assert as_json(summary)["frontiers"][0]["reference"] == "curve"


def test_a_report_without_sweeps_has_no_frontier(write_run: Write) -> None:
    plain = summarise(collect([str(write_run("a", (0.8, 0.7, 0.6)))], []))

    assert (frontier(plain).panels, equal_id(plain).rows, points_above(plain).rows) == ((), (), ())
