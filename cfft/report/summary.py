"""Put models side by side: sets, seeds of one configuration, lines, effective robustness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
import numpy as np

from cfft.errors import ConfigError, unknown_name
from cfft.evaluation.compare.groups import group_name
from cfft.evaluation.files.evaluation import Interval
from cfft.report.outcomes import Outcome, Place, read_outcomes, redrawn
from cfft.report.sources.records import AVERAGE, ID, OOD, Material, ReportedModel
from cfft.runtime.patterns import is_called
from cfft.scoring.averages import with_ood_average
from cfft.scoring.intervals import Shares, interval95
from cfft.scoring.robustness import FEWEST_ON_A_LINE, AccuracyLine, effective_robustness, fit_lines
from cfft.scoring.spread import Spread

_FEWEST_UNASKED = 10  # a line through a few models of one's own predicts nothing


@attrs.frozen
class Group:
    """Hold the models of one configuration, one per seed; `name` tells weight ensembles apart."""

    name: str
    models: tuple[ReportedModel, ...]

    @property
    def configuration(self) -> str:
        return self.models[0].group

    @property
    def alpha(self) -> float | None:
        """The share of the fine-tuned model in a weight ensemble, None of any other model."""
        return self.models[0].alpha


@attrs.frozen
class Summary:
    """Hold what all tables and figures are made from.

    `sets`: role by name, ID sets first; the first is the ID axis. `lines`: by OOD set and for the
    OOD average, those that enough models are on. `baseline`: labels of the models they go through.
    `outcomes`: by model and set, where predictions are stored. `replicates`: top-1 on redrawn
    images likewise, [REPLICATES], the same images for all models that have them.
    """

    material: Material
    sets: dict[str, str]
    groups: tuple[Group, ...]
    lines: dict[str, AccuracyLine]
    baseline: tuple[str, ...]
    outcomes: Mapping[Place, Outcome] = attrs.field(factory=dict, repr=False)
    replicates: Mapping[Place, Shares] = attrs.field(factory=dict, repr=False)

    @property
    def id_set(self) -> str:
        return next(iter(self.sets))

    @property
    def configurations(self) -> tuple[str, ...]:
        """The names of all configurations, weight ensembles among those that they come from."""
        return tuple(dict.fromkeys(group.configuration for group in self.groups))

    @property
    def has_seeds(self) -> bool:
        return any(len(group.models) > 1 for group in self.groups)

    @property
    def targets(self) -> tuple[str, ...]:
        """The OOD average, then each OOD set; without OOD sets nothing."""
        names = tuple(name for name, role in self.sets.items() if role == OOD)
        return (AVERAGE, *names) if names else ()

    def value(self, model: ReportedModel, name: str) -> float | None:
        """Return a model's accuracy on a set or its OOD average, None where it is not known."""
        return self.shares(model).get(name)

    def shares(self, model: ReportedModel) -> dict[str, float]:
        """Return a model's accuracies by set, and the average over all OOD sets of the report.

        There is none of a model that lacks one of them.
        """
        top1 = {name: entry.top1 for name, entry in model.sets.items()}
        return with_ood_average(top1, self.targets[1:], AVERAGE)

    def parts(self, name: str) -> tuple[str, ...]:
        """Return the sets that a name stands for: all OOD sets for their average, else itself."""
        return self.targets[1:] if name == AVERAGE else (name,)

    def interval(self, model: ReportedModel, name: str) -> Interval | None:
        """Return the 95 % confidence interval of what `value` returns, None where not known.

        That of the OOD average is over redrawn images, from its source or from predictions.
        """
        if name != AVERAGE:
            return model.sets[name].ci95 if name in model.sets else None
        return model.ood_ci95 or self.redrawn_interval([model], name)

    def redrawn_interval(self, models: Sequence[ReportedModel], name: str) -> Interval | None:
        """Return the interval of the mean accuracy of models over redrawn images, None without."""
        shares = self.redrawn(models, name)
        return None if shares is None else interval95(shares)

    def redrawn(self, models: Sequence[ReportedModel], name: str) -> Shares | None:
        """Return the mean of models' accuracies on redrawn images: [REPLICATES], or None."""
        places = [(model.label, part) for model in models for part in self.parts(name)]
        if not places or any(place not in self.replicates for place in places):
            return None
        mean: Shares = np.mean([self.replicates[place] for place in places], axis=0)
        return mean

    def spread(self, group: Group, name: str) -> Spread | None:
        """Return mean and standard deviation of a group's accuracies, None where one is missing."""
        return spread(self.value(model, name) for model in group.models)

    def robustness(self, model: ReportedModel, name: str) -> float | None:
        """Return a model's effective robustness on a set or on average, as a share."""
        id_, ood = self.value(model, self.id_set), self.value(model, name)
        if id_ is None or ood is None or name not in self.lines:
            return None
        return effective_robustness(id_, ood, self.lines[name])


def summarise(material: Material, baseline: Sequence[str] = ()) -> Summary:
    """Put the models of a report side by side.

    `baseline`: patterns of the labels or groups of models that the lines go through; without any,
    all but weight ensembles, where these are ten or more. Raises ConfigError for a pattern that
    nothing matches, DataError for predictions that cfft did not write.
    """
    sets = _sets(material.models)
    fitted = _baseline(material.models, baseline)
    labels = tuple(model.label for model in fitted)
    outcomes = read_outcomes(material.models)
    drawn = redrawn(material.models, outcomes)
    groups = _groups(material.models)
    plain = Summary(material, sets, groups, {}, labels, outcomes, drawn)
    fewest = FEWEST_ON_A_LINE if baseline else _FEWEST_UNASKED
    shares = [plain.shares(model) for model in fitted]
    return attrs.evolve(plain, lines=fit_lines(shares, plain.id_set, plain.targets, fewest))


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return mean and standard deviation, None where a value is missing."""
    known = list(values)
    present = [value for value in known if value is not None]
    return Spread.of(present) if present and len(present) == len(known) else None


def _sets(models: Sequence[ReportedModel]) -> dict[str, str]:
    roles = {name: entry.role for model in models for name, entry in model.sets.items()}
    in_order = sorted(roles, key=lambda name: roles[name] != ID)
    if roles[in_order[0]] != ID:
        raise ConfigError(f"no model has an ID set, only {', '.join(roles)}: nothing to compare to")
    return {name: roles[name] for name in in_order}


def _baseline(models: Sequence[ReportedModel], patterns: Sequence[str]) -> list[ReportedModel]:
    if not patterns:
        return [model for model in models if model.alpha is None]
    for pattern in patterns:
        if not any(is_called(pattern, _names(model)) for model in models):
            names = {name for model in models for name in (model.label, model.group)}
            raise ConfigError(unknown_name("--baseline-line", pattern, names, "there are"))
    return [m for m in models if any(is_called(pattern, _names(m)) for pattern in patterns)]


def _names(model: ReportedModel) -> tuple[str, ...]:
    return (model.label, model.group, *([model.source] if model.is_run else []))


def _groups(models: Sequence[ReportedModel]) -> tuple[Group, ...]:
    found: dict[str, list[ReportedModel]] = {}
    for model in models:
        found.setdefault(group_name(model), []).append(model)
    return tuple(Group(name, tuple(members)) for name, members in found.items())
