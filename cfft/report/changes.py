"""Changes of accuracy between models, paired image by image where predictions allow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

import attrs

from cfft.evaluation.files.evaluation import Interval
from cfft.report.sources.records import AVERAGE, ReportedModel
from cfft.report.summary import Group, Summary
from cfft.scoring.intervals import interval95


@attrs.frozen
class Change:
    """Hold two top-1 accuracies, 0..1, and the 95 % interval of `after` minus `before`.

    `ci95`: over redrawn images, the same ones for both; None where predictions of the same images
    are not there.
    """

    before: float
    after: float
    ci95: Interval | None = None

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def is_gain(self) -> bool:
        """Tell whether the whole interval is above zero."""
        return self.ci95 is not None and self.ci95[0] > 0

    @property
    def is_loss(self) -> bool:
        """Tell whether the whole interval is below zero."""
        return self.ci95 is not None and self.ci95[1] < 0

    @property
    def is_open(self) -> bool:
        """Tell whether the interval holds zero: these images cannot tell which is better."""
        return self.ci95 is not None and not self.is_gain and not self.is_loss


@attrs.frozen(eq=False)
class Standing:
    """Hold how a configuration stands to the models that it started from.

    `id` and `ood`: None where an accuracy is not known; their `before` is that of the starting
    models.
    """

    group: Group
    id: Change | None
    ood: Change | None

    @property
    def name(self) -> str:
        return self.group.name

    @property
    def seeds(self) -> int:
        return len(self.group.models)


def change(
    summary: Summary, before: Sequence[ReportedModel], after: Sequence[ReportedModel], name: str
) -> Change | None:
    """Compare the mean accuracies of models on a set or on average, None where one is not known.

    Models of several seeds are redrawn together and then averaged: the interval is for the choice
    of images, not of seeds.
    """
    accuracies = [[summary.value(model, name) for model in models] for models in (before, after)]
    if not all(accuracies) or any(None in each for each in accuracies):
        return None
    first, second = (fmean(v for v in each if v is not None) for each in accuracies)
    return Change(first, second, _paired(summary, before, after, name))


def _paired(
    summary: Summary, before: Sequence[ReportedModel], after: Sequence[ReportedModel], name: str
) -> Interval | None:
    for part in summary.parts(name):
        if _images(summary, before, part) != _images(summary, after, part):
            return None
    one, other = summary.redrawn(before, name), summary.redrawn(after, name)
    return None if one is None or other is None else interval95(other - one)


def _images(
    summary: Summary, models: Sequence[ReportedModel], name: str
) -> set[tuple[str, str] | None]:
    found = (summary.outcomes.get((model.label, name)) for model in models)
    return {None if outcome is None else outcome.digests for outcome in found}


def start_of(summary: Summary, model: ReportedModel) -> ReportedModel | None:
    """Return the model that a run started from, None where nothing says which one it was.

    A run says what its starting model got right. Others start from the only model before
    fine-tuning, or from that of their seed, where all of these are of one configuration.
    """
    starts = [start for start in summary.material.models if start.is_start]
    if model.before:
        top1 = [{name: found.top1 for name, found in start.sets.items()} for start in starts]
        alike = (
            start
            for start, shares in zip(starts, top1, strict=True)
            if all(shares.get(name) == share for name, share in model.before.items())
        )
        return next(alike, None)
    if len({start.group for start in starts}) != 1:
        return None
    return next((start for start in starts if start.seed == model.seed), starts[0])


def standings(summary: Summary) -> list[Standing]:
    """Return one per configuration after fine-tuning that has an ID accuracy, in their order.

    A weight ensemble counts as one where it is neither end of its curve.
    """
    return [
        Standing(group, *(_gained(summary, group, name) for name in (summary.id_set, AVERAGE)))
        for group in summary.groups
        if _is_candidate(summary, group) and summary.spread(group, summary.id_set) is not None
    ]


def _is_candidate(summary: Summary, group: Group) -> bool:
    if group.models[0].is_start or group.alpha == 0:
        return False
    plain = (other for other in summary.groups if other.alpha is None)
    return group.alpha != 1 or all(o.configuration != group.configuration for o in plain)


def _gained(summary: Summary, group: Group, name: str) -> Change | None:
    starts = list(_starts(summary, group))
    return change(summary, starts, group.models, name) if starts else None


def _starts(summary: Summary, group: Group) -> Iterator[ReportedModel]:
    found = [start_of(summary, model) for model in group.models]
    if None not in found:
        yield from (start for start in found if start is not None)


def best_first(
    summary: Summary, candidates: Sequence[Standing], name: str
) -> list[tuple[Standing, Change | None]]:
    """Order configurations by mean accuracy, each with its change from the best one to it."""
    known = [each for each in candidates if summary.spread(each.group, name) is not None]

    def mean(standing: Standing) -> float:
        spread = summary.spread(standing.group, name)
        return spread.mean if spread is not None else 0.0

    ordered = sorted(known, key=mean, reverse=True)
    return [
        (each, change(summary, ordered[0].group.models, each.group.models, name))
        for each in ordered
    ]
