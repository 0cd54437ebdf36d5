"""Axes: differences that intervals could explain do not fill them."""

from __future__ import annotations

import pytest

from cfft.report.figures.encodings import least_domain
from cfft.report.figures.scatter import scatter
from cfft.report.sources.records import Material, ReportedModel
from cfft.report.summary import summarise
from cfft.scoring.results import SetResult


@pytest.mark.parametrize(
    ("values", "widths", "ends"),
    [
        ([69.8, 70.2], [2.0], (68.5, 71.5)),
        ([69.8, 70.2], [2.0, 4.0], (67.0, 73.0)),
        ([60.0, 80.0], [2.0], (60.0, 80.0)),
        ([70.0], [], (70.0, 70.0)),
        ([99.0, 99.6], [2.0], (97.0, 100.0)),
        ([0.4, 1.0], [2.0], (0.0, 3.0)),
        ([50.0], [90.0], (0.0, 100.0)),
    ],
)
def test_an_axis_has_room_for_one_and_a_half_of_the_widest_interval(
    values: list[float], widths: list[float], ends: tuple[float, float]
) -> None:
    assert least_domain(values, widths) == ends


def test_the_scatter_reaches_the_least_ends_of_both_axes() -> None:
    models = tuple(
        ReportedModel(
            label=label,
            source=label,
            kind="run",
            group=label,
            sets={
                "photo": SetResult("id", 0.5, ci95=(0.45, 0.55)),
                "drawing": SetResult("ood", ood, ci95=(ood - 0.01, ood + 0.01)),
            },
        )
        for label, ood in (("a", 0.700), ("b", 0.704))
    )

    panel = next(p for p in scatter(summarise(Material(models))).panels if p.label == "drawing")

    assert panel.data["span"].rows == [(42.5, 68.7), (57.5, 71.7)]
