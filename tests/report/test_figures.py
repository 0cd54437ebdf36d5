"""Figures: seeds as one line, series that need no colours, specifications without warnings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import altair as alt
import pytest
import vl_convert

from cfft.report.figures.encodings import Series
from cfft.report.figures.figures import Figure, images
from cfft.report.figures.gallery import sheets
from cfft.report.figures.scatter import scatter
from cfft.report.figures.themes import DASHES, SERIES, SHAPES
from cfft.report.figures.training import curves
from cfft.report.sources.collect import collect
from cfft.report.sources.records import Material, ReportedModel, Run
from cfft.report.summary import summarise
from cfft.scoring.results import SetResult

Write = Callable[..., Path]
METHOD = {"mask": {"use": "object"}, "fill": {"use": "single"}}


def run(seed: int, *losses: float, group: str = "a") -> Run:
    lines = tuple({"step": step, "loss": loss} for step, loss in enumerate(losses, start=1))
    return Run(f"{group}{seed}", group, {"seed": seed}, lines, None)


def drawn(*runs: Run) -> Figure:
    return curves(runs, ["a"])


def test_seeds_are_one_line_in_a_band_from_the_smallest_to_the_largest() -> None:
    figure = drawn(run(0, 2.0, 1.0), run(1, 4.0, 1.5))

    assert figure.panels[0].data["points"].rows == [
        ("a", 1, 3.0, 2.0, 4.0, "0: 2, 1: 4"),
        ("a", 2, 1.25, 1.0, 1.5, "0: 1, 1: 1.5"),
    ]
    assert "in a band from the smallest to the largest value" in figure.description


def test_a_run_that_ended_early_leaves_the_mean_to_the_others() -> None:
    figure = drawn(run(0, 2.0), run(1, 4.0, 1.5))

    assert figure.panels[0].data["points"].rows[1] == ("a", 2, 1.5, 1.5, 1.5, "1: 1.5")


def test_one_seed_is_no_band() -> None:
    assert "band" not in drawn(run(0, 2.0)).description


@pytest.mark.parametrize(("losses", "points"), [((2.0,), 1), ((2.0, 1.0), 0)])
def test_a_run_that_logged_a_single_step_is_a_point(losses: tuple[float, ...], points: int) -> None:
    ((_, specification),) = drawn(run(0, *losses)).in_files()

    svg, _ = images(specification)

    assert len(re.findall(r'<path [^>]*fill="#[^>]* opacity="1"/>', svg)) == points


def test_long_runs_keep_their_first_and_last_points() -> None:
    rows = drawn(run(0, *(float(i) for i in range(1000)))).panels[0].data["points"].rows

    assert (len(rows), rows[0][1], rows[-1][1]) == (150, 1, 1000)


def test_runs_without_metrics_have_no_curves() -> None:
    assert curves([run(0)], ["a"]).panels == ()


def test_colour_and_shape_or_dash_come_together_once_in_dozens_of_series() -> None:
    shapes = {(i % len(SERIES), i % len(SHAPES)) for i in range(56)}
    dashes = {(i % len(SERIES), i % len(DASHES)) for i in range(56)}

    assert (len(shapes), len(dashes)) == (56, 56)


def test_a_legend_names_all_of_many_series() -> None:
    names = [f"method {number}" for number in range(40)]
    data = alt.Data(values=[{"series": name} for name in names])
    chart = alt.Chart(data).mark_point().encode(**Series(names, names).marks())

    svg = vl_convert.vegalite_to_svg(chart.to_dict())

    assert [name for name in names if f">{name}<" not in svg] == []


def models(count: int) -> Material:
    sets = {"photo": SetResult("id", 0.9), "drawing": SetResult("ood", 0.5)}
    return Material(
        tuple(
            ReportedModel(
                label=f"m{i}", source=f"file{i % 2}.jsonl", kind="weights", group=f"m{i}", sets=sets
            )
            for i in range(count)
        )
    )


@pytest.mark.parametrize(("count", "series"), [(24, 24), (25, 2)])
def test_too_many_configurations_are_told_apart_by_where_they_come_from(
    count: int, series: int
) -> None:
    figure = scatter(summarise(models(count)))

    assert len({row[1] for row in figure.panels[0].data["points"].rows}) == series


def test_the_gallery_has_the_first_seed_of_each_configuration(write_run: Write) -> None:
    write_run("a0", (0.8, 0.7, 0.6), seed=3, **METHOD)
    last = write_run("a1", (0.8, 0.7, 0.6), seed=4, **METHOD)

    (sheet,) = sheets(collect([str(last.parent / "*")], []).runs)

    assert (sheet.configurations, sheet.seed) == ("object + single", 3)


def test_configurations_whose_sheets_look_alike_share_one(write_run: Write) -> None:
    write_run("a", (0.8, 0.7, 0.6), **METHOD)
    last = write_run("b", (0.8, 0.7, 0.6))

    (sheet,) = sheets(collect([str(last.parent / "*")], []).runs)

    assert sheet.configurations == "object + single, vanilla"


@pytest.fixture
def specifications(report: Path) -> dict[str, dict[str, Any]]:
    """Return what the page draws, by name of the figure."""
    page = (report / "report.html").read_text("utf-8")
    start = page.index('id="charts">') + len('id="charts">')
    charts = json.loads(page[start : page.index("</script>", start)])
    return {name: chart["spec"] for name, chart in charts.items()}


@pytest.mark.parametrize("name", ["scatter", "ensembles", "training", "confusion"])
def test_a_specification_compiles_without_a_warning(
    specifications: dict[str, dict[str, Any]], name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    vl_convert.vegalite_to_vega(specifications[name], show_warnings=True)

    assert capfd.readouterr() == ("", "")


def test_a_heat_map_without_a_height_in_pixels_would_be_warned_of(
    specifications: dict[str, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    without = {k: v for k, v in specifications["confusion"].items() if k != "height"}

    vl_convert.vegalite_to_vega(without, show_warnings=True)

    assert 'Dropping "fit-y"' in capfd.readouterr().err
