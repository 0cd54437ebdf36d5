"""Merged models among those of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from torch import Tensor

from cfft.config.comparison import configuration_digest
from cfft.evaluation.files.evaluation import Identity
from cfft.evaluation.job import evaluate_models
from cfft.evaluation.merging.entry import PlannedMerge
from cfft.evaluation.merging.members import Members
from cfft.evaluation.merging.paths import PathPoint
from cfft.evaluation.models.builder import ModelBuilder
from cfft.evaluation.models.subjects import EvaluationSubject
from cfft.plugin.params import values_of
from cfft.runtime.progress import Reporter
from cfft.scoring.loaded_model import LoadedModel

Merged = Callable[[PathPoint], Mapping[str, Tensor]]


def evaluate_merged(
    planned: PlannedMerge, members: Members, merged: Merged, reporter: Reporter
) -> None:
    """Measure the models, and what is merged at each point, as `cfft eval` does.

    The evaluation is that of `planned`. Points of a path over alpha are weight ensembles to a
    report, which draws their curve.
    """

    def further(builder: ModelBuilder) -> Sequence[EvaluationSubject]:
        return list(_subjects(planned, members, merged, builder))

    out = planned.evaluation or Path()
    asked = [str(ref.path or ref.text) for ref in members.all]
    settings, registry = planned.settings, planned.registry
    evaluate_models(asked, planned.layer, settings, registry, out, reporter, further)


def _subjects(
    planned: PlannedMerge, members: Members, merged: Merged, builder: ModelBuilder
) -> Iterator[EvaluationSubject]:
    seeds, known = members.seeds, members.described
    for point in planned.points:
        name = planned.name if point.param is None else f"{planned.name} {point.name}"
        identity = Identity(
            f"merge {name}",
            str(planned.out),
            "weights",
            f"merge {planned.name if point.alpha is not None else name}",
            seeds[0] if len(seeds) == 1 else None,
            point.alpha,
            configuration=configuration_digest(_made_by(planned, members, point)),
        )
        place = known.path if known is not None and known.path is not None else Path()
        yield EvaluationSubject(identity, partial(_loaded, builder, place, merged, point))


def _loaded(builder: ModelBuilder, place: Path, merged: Merged, point: PathPoint) -> LoadedModel:
    model = builder.stored(place)
    model.classifier.load_weights(merged(point))
    return model


def _made_by(planned: PlannedMerge, members: Members, point: PathPoint) -> dict[str, object]:
    """Return what merges of one configuration share; alpha is told apart elsewhere."""
    values = {
        name: value
        for name, value in values_of(point.strategy).items()
        if point.alpha is None or name != point.param
    }
    places = [str(ref.path.resolve()) if ref.path else ref.text for ref in members.all]
    return {"merge": {"use": planned.name, **values}, "models": places}
