"""Compare methods at equal ID accuracy: curves of ID against OOD accuracy, and points beside them.

A method that varies something (the weight of a loss, say) is a curve. Which of two methods is more
robust shows at equal ID accuracy, not at equal values of what they vary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import numpy as np

from cfft.data.consistency import OOD_AVERAGE
from cfft.errors import DataError
from cfft.evaluation.compare.comparison import ood_names, redrawn_top1, with_average
from cfft.evaluation.compare.measured import MeasuredModel
from cfft.evaluation.files.evaluation import Gap
from cfft.runtime.json_files import SCHEMA
from cfft.scoring.frontier import ood_at, reaches
from cfft.scoring.intervals import Shares, interval95
from cfft.scoring.spread import Spread


@attrs.frozen(eq=False)
class CurvePoint:
    """Hold a point of a row: the models of all its seeds.

    `name`: what tables call it. `values`: those varied, none of a row that is a single point.
    """

    row: str
    name: str
    values: Mapping[str, Any]
    models: Sequence[MeasuredModel]


@attrs.frozen
class FrontierPoint:
    """Hold a point, and how far above the reference's curve it is at its own ID accuracy.

    `sets`: top-1 by set, the ID set first, mean and deviation over seeds. `difference`: of the OOD
    average, None where the reference's curve does not reach the ID accuracy. `reached`: the share
    of replicates in which it does.
    """

    row: str
    name: str
    values: Mapping[str, Any]
    sets: dict[str, Spread]
    ood_average: Spread
    difference: Gap | None = None
    reached: float | None = None


@attrs.frozen
class RowAtId:
    """Hold the OOD average of a row's curve at one ID accuracy, None where it does not reach it.

    `difference`: from the reference's curve, None where either of them does not reach it.
    `reached`: the share of replicates in which both do.
    """

    row: str
    ood_average: float | None = None
    difference: Gap | None = None
    reached: float | None = None


@attrs.frozen
class Level:
    """Hold all curves at one ID accuracy; `point`: the reference's point that has it, or ""."""

    id: float
    point: str
    rows: tuple[RowAtId, ...]


@attrs.frozen(kw_only=True)
class FrontierResults:
    """Hold the content of frontier.json; see docs/sweep.md."""

    schema: int = SCHEMA
    id_set: str
    reference: str
    points: tuple[FrontierPoint, ...]
    levels: tuple[Level, ...]


@attrs.frozen(eq=False)
class _Curve:
    """Hold a row's points: [P, 1 + REPLICATES], first the accuracies, then those of replicates."""

    id: Shares
    ood: Shares

    def compared(self, other: _Curve, at: Shares) -> tuple[float | None, Gap | None, float | None]:
        """Return this curve's OOD average, its difference from `other`, and the share reached.

        `at`: the ID accuracy, [1 + REPLICATES].
        """
        own, both = reaches(self.id, at), reaches(self.id, at) & reaches(other.id, at)
        ood = ood_at(self.id, self.ood, at)
        gaps = ood - ood_at(other.id, other.ood, at)
        gap = Gap(float(gaps[0]), interval95(gaps[1:])) if both[0] else None
        reached = float(both[1:].mean()) if both[0] else None
        return (float(ood[0]) if own[0] else None), gap, reached


def frontier(
    points: Sequence[CurvePoint], reference: str, at: Sequence[float] = ()
) -> FrontierResults:
    """Compare rows with the curve of the row `reference` at equal ID accuracy.

    `at`: ID accuracies, 0..1; without any those of the reference's points, which are redrawn with
    them. A curve is linear between points next to each other in ID accuracy; points are means over
    seeds. No curve is used beyond its points, but in replicates, where its outermost line goes on.
    Intervals are percentiles over redrawn images, the same ones for all models: they are for the
    choice of images, not of seeds. Raises DataError unless all models have the same images.
    """
    models = [model for point in points for model in point.models]
    id_set, ood = _common_sets(models)
    redrawn = redrawn_top1(models)
    drawn = [_drawn(point, id_set, ood, redrawn) for point in points]
    curves = {
        row: _joined([own for point, own in zip(points, drawn, strict=True) if point.row == row])
        for row in dict.fromkeys(point.row for point in points)
    }
    main = curves[reference]
    own = [
        (p.name, each.id[0]) for p, each in zip(points, drawn, strict=True) if p.row == reference
    ]
    levels = [("", np.full_like(main.id[0], share)) for share in at] or own
    varied = [row for row in curves if any(p.values for p in points if p.row == row)]
    return FrontierResults(
        id_set=id_set,
        reference=reference,
        points=tuple(map(partial(_point, main), points, drawn)),
        levels=tuple(
            Level(
                float(share[0]),
                name,
                tuple(RowAtId(row, *curves[row].compared(main, share)) for row in varied),
            )
            for name, share in levels
        ),
    )


def _point(main: _Curve, point: CurvePoint, drawn: _Curve) -> FrontierPoint:
    names = ood_names(point.models)
    top1 = [with_average(model, names) for model in point.models]
    sets = {key: Spread.of([each[key] for each in top1]) for key in top1[0]}
    average = sets.pop(OOD_AVERAGE)
    _, gap, reached = drawn.compared(main, drawn.id[0])
    return FrontierPoint(point.row, point.name, point.values, sets, average, gap, reached)


def _drawn(
    point: CurvePoint,
    id_set: str,
    ood: Sequence[str],
    redrawn: Mapping[tuple[str, str], Shares],
) -> _Curve:
    def mean(names: Sequence[str]) -> Shares:
        shares = [
            np.concatenate([[model.sets[name].score.top1], redrawn[model.label, name]])
            for model in point.models
            for name in names
        ]
        averaged: Shares = np.mean(shares, axis=0)[None]
        return averaged

    return _Curve(mean([id_set]), mean(ood))


def _joined(points: Sequence[_Curve]) -> _Curve:
    ids, oods = zip(*((point.id, point.ood) for point in points), strict=True)
    return _Curve(np.concatenate(ids), np.concatenate(oods))


def _common_sets(models: Sequence[MeasuredModel]) -> tuple[str, list[str]]:
    """Return the names of the ID set and of the OOD sets; raises DataError unless all have them."""
    first, ood = models[0], ood_names(models)
    if first.test is None or not ood:
        raise DataError(f"{first.identity.source}: a frontier needs an ID set and OOD sets")
    for model in models:
        for name in (first.test, *ood):
            if _images(model, name) != _images(first, name):
                raise DataError(
                    f"{model.identity.source} and {first.identity.source} have different images "
                    f"of '{name}': a frontier needs the same ones"
                )
    return first.test, ood


def _images(model: MeasuredModel, name: str) -> tuple[str, str] | None:
    found = model.sets.get(name)
    return None if found is None else (found.images, found.originals)
