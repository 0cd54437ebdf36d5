"""Methods at equal ID accuracy, by hand, and the interval of a difference that is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from cfft.cli.output.frontier_tables import frontier_tables
from cfft.errors import DataError
from cfft.evaluation.compare.frontier import CurvePoint, FrontierResults, RowAtId, frontier
from cfft.evaluation.compare.measured import MeasuredModel, MeasuredSet
from cfft.evaluation.files.evaluation import Gap, Identity
from cfft.scoring.results import SetResult

N = 1000


def _set(role: str, right: int, name: str, first: int = 0) -> MeasuredSet:
    """Get `right` of the images from `first` on right."""
    correct = (np.arange(N) - first) % N < right
    score = SetResult(role, right / N, N, 2, (0.0, 1.0))
    return MeasuredSet(score, correct, name, np.arange(N), name)


def _model(label: str, id_: int, *ood: int, images: str = "", first: int = 0) -> MeasuredModel:
    sets = {"test": _set("id", id_, "test")}
    sets |= {f"shift{n}": _set("ood", each, f"s{n}{images}", first) for n, each in enumerate(ood)}
    return MeasuredModel(Identity(label, label, "run", label), sets)


def _point(row: str, weight: int | None, *seeds: Sequence[int], first: int = 0) -> CurvePoint:
    values = {} if weight is None else {"loss.a.weight": weight}
    name = f"{row}, weight {weight}" if values else row
    models = [_model(f"{name}, {n}", *each, first=first) for n, each in enumerate(seeds)]
    return CurvePoint(row, name, values, models)


@pytest.fixture(scope="module")
def found() -> FrontierResults:
    points = [
        _point("plain", None, (950, 690)),
        _point("old", 1, (960, 660)),
        _point("old", 2, (939, 690), (941, 710)),  # the mean of two seeds: 940, 700
        _point("old", 6, (900, 720)),
        _point("new", 1, (950, 700)),
        _point("new", 6, (910, 740)),
    ]
    return frontier(points, "old")


def test_curves_are_compared_at_the_id_accuracies_of_the_references_points(found) -> None:
    at_id = {(level.point, row.row): row for level in found.levels for row in level.rows}

    assert [level.id for level in found.levels] == pytest.approx([0.96, 0.94, 0.9])
    assert at_id["old, weight 2", "old"].ood_average == pytest.approx(0.7)
    assert at_id["old, weight 2", "new"].ood_average == pytest.approx(0.71)
    assert at_id["old, weight 2", "new"].difference.difference == pytest.approx(0.01)


def test_a_curve_says_nothing_beyond_its_points(found) -> None:
    rows = [level.rows[1] for level in found.levels]

    assert [rows[0], rows[2]] == [RowAtId("new"), RowAtId("new")]


def test_the_reference_differs_from_itself_by_exactly_nothing(found) -> None:
    own = [level.rows[0].difference for level in found.levels]

    assert own[1] == Gap(0.0, (0.0, 0.0))


def test_a_point_is_compared_with_the_references_curve_at_its_own_id_accuracy(found) -> None:
    by_name = {point.name: point for point in found.points}

    assert by_name["plain"].difference.difference == pytest.approx(0.69 - 0.68)
    assert by_name["new, weight 6"].difference.difference == pytest.approx(0.74 - 0.715)


def test_a_point_holds_mean_and_deviation_over_seeds(found) -> None:
    point = found.points[2]

    assert (point.ood_average.mean, point.ood_average.count) == (pytest.approx(0.7), 2)
    assert point.sets["test"].mean == pytest.approx(0.94)
    assert list(point.sets) == ["test", "shift0"]


def test_curves_on_the_same_images_are_redrawn_together() -> None:
    alike = [_point("old", 1, (960, 660)), _point("old", 6, (900, 720))]
    twin = [_point("new", 1, (960, 660)), _point("new", 6, (900, 720))]

    (level,) = frontier([*alike, *twin], "old", at=[0.94]).levels

    assert level.rows[1].difference == Gap(0.0, (0.0, 0.0))
    assert level.point == ""


def test_the_interval_is_that_of_a_paired_difference_where_the_id_accuracy_is_fixed() -> None:
    """Both are flat, so that only the OOD images matter: 100 images right here alone, 50 there."""
    old = [_point("old", 1, (960, 650)), _point("old", 6, (900, 650))]
    new = [_point("new", n, (id_, 700), first=100) for n, id_ in ((1, 960), (6, 900))]

    (level,) = frontier([*old, *new], "old", at=[0.94]).levels

    # right: images 0 to 649 and 100 to 799; 150 here alone and 100 there alone
    half = 1.96 * np.sqrt((0.25 - 0.05**2) / N)
    low, high = level.rows[1].difference.ci95
    assert (low, high) == (
        pytest.approx(0.05 - half, abs=4e-3),
        pytest.approx(0.05 + half, abs=4e-3),
    )


def test_an_uncertain_id_accuracy_widens_the_interval_on_a_steep_curve() -> None:
    def width(*ood: int) -> float:
        curve = [_point("old", 1, (960, ood[0])), _point("old", 6, (900, ood[1]))]
        (level,) = frontier([*curve, _point("new", 1, (930, 600)), _point("new", 2, (929, 600))],
                            "old", at=[0.93]).levels  # fmt: skip
        return float(np.diff(level.rows[1].difference.ci95)[0])

    assert width(300, 900) > width(600, 600)


def test_reached_is_the_share_of_replicates_with_points_on_both_sides() -> None:
    curve = [_point("old", 1, (960, 660)), _point("old", 6, (900, 720))]

    middle, edge = (frontier(curve, "old", at=[share]).levels[0].rows[0] for share in (0.93, 0.96))

    assert middle.reached > 0.99
    assert 0.4 < edge.reached < 0.6


def test_other_images_are_refused() -> None:
    models = [_model("a", 960, 660), _model("b", 900, 720, images="other")]
    points = [CurvePoint("old", m.label, {"x.y": n}, [m]) for n, m in enumerate(models)]

    with pytest.raises(DataError, match="b and a have different images of 'shift0'"):
        frontier(points, "old")


def test_a_frontier_needs_ood_sets() -> None:
    with pytest.raises(DataError, match="needs an ID set and OOD sets"):
        frontier([CurvePoint("old", "a", {"x.y": 1}, [_model("a", 960)])], "old")


def test_tables_say_both_in_percent_and_points(found) -> None:
    (_, equal), (_, points) = frontier_tables(found)

    assert equal[0][:2] == ["row", "96.0 (old, weight 1)"]
    assert equal[1][:3] == ["old", "66.0", "70.0"]
    assert equal[2][1] == equal[2][3] == "-"
    assert equal[2][2].startswith("71.0, +1.0 (")
    assert points[1][:3] == ["plain", "95.0", "69.0"]
    assert points[1][3].startswith("+1.0 (")
