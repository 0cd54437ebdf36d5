"""Put measured models side by side: averages, differences, groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean

import attrs
import numpy as np

from cfft.data.consistency import OOD_AVERAGE
from cfft.evaluation.compare.groups import group_name
from cfft.evaluation.compare.measured import MeasuredModel
from cfft.evaluation.files.evaluation import (
    EvaluatedModel,
    EvaluationResults,
    Gap,
    Interval,
    PairedDifferences,
    SeedGroup,
)
from cfft.scoring.averages import with_ood_average
from cfft.scoring.intervals import Shares, interval95, resampled_top1
from cfft.scoring.robustness import AccuracyLine, effective_robustness
from cfft.scoring.spread import Spread


@attrs.frozen(eq=False)
class _Comparison:
    """Compare models on the images that they have in common.

    `replicates`: by model and set, top-1 on redrawn images, 0..1: [REPLICATES] each. Models with
    the same images have the same draws, and so have sets that show versions of the same images.
    """

    models: Sequence[MeasuredModel]
    baseline: str | None
    lines: Mapping[str, AccuracyLine]
    replicates: Mapping[tuple[str, str], Shares]

    def results(self) -> EvaluationResults:
        return EvaluationResults(
            baseline=self.baseline,
            lines=self.lines,
            models=tuple(map(self._model, self.models)),
            differences=tuple(self._differences()),
            groups=tuple(self._groups()),
        )

    @property
    def ood(self) -> list[str]:
        return ood_names(self.models)

    def _groups(self) -> Iterable[SeedGroup]:
        names = [group_name(model.identity) for model in self.models]
        for group in dict.fromkeys(names):
            members = [m for m, name in zip(self.models, names, strict=True) if name == group]
            values: dict[str, list[float]] = defaultdict(list)
            for model in members:
                for key, accuracy in with_average(model, self.ood).items():
                    values[key].append(accuracy)
            spread = {key: Spread.of(found) for key, found in values.items()}
            labels, alpha = tuple(model.label for model in members), members[0].identity.alpha
            yield SeedGroup(group, alpha, labels, spread.pop(OOD_AVERAGE, None), spread)

    def _model(self, model: MeasuredModel) -> EvaluatedModel:
        average = with_average(model, self.ood).get(OOD_AVERAGE)
        return EvaluatedModel(
            **attrs.asdict(model.identity, recurse=False),
            predictions=model.predictions,
            sets={name: each.score for name, each in model.sets.items()},
            ood_average=average,
            ood_ci95=None if average is None else interval95(self._redrawn(model, self.ood)),
            id_on_classes_of={} if model.test is None else model.sets[model.test].on_classes_of,
            effective_robustness=self._above_line(model),
            effective_robustness_ci95=self._above_line_intervals(model),
        )

    def _redrawn(self, model: MeasuredModel, names: Sequence[str]) -> Shares:
        """Return the mean over sets: [REPLICATES]."""
        redrawn: Shares = np.mean([self.replicates[model.label, name] for name in names], axis=0)
        return redrawn

    def _above_line(self, model: MeasuredModel) -> dict[str, float | None] | None:
        if model.test is None or not self.lines:
            return None
        found = with_average(model, self.ood)
        return {
            name: effective_robustness(found[model.test], found[name], line)
            for name, line in self.lines.items()
            if name in found
        }

    def _above_line_intervals(self, model: MeasuredModel) -> dict[str, Interval | None] | None:
        """Return intervals over redrawn images; the line stays as it is."""
        above = self._above_line(model)
        if above is None or model.test is None:
            return None
        test = self.replicates[model.label, model.test]
        return {
            name: _interval_above(self.lines[name], test, self._redrawn(model, names))
            for name in above
            for names in [self.ood if name == OOD_AVERAGE else [name]]
        }

    def _differences(self) -> Iterable[PairedDifferences]:
        reference = next((m for m in self.models if m.label == self.baseline), None)
        others = [model for model in self.models if model is not reference]
        return [] if reference is None else [self._difference(model, reference) for model in others]

    def _difference(self, a: MeasuredModel, b: MeasuredModel) -> PairedDifferences:
        shared = [
            name
            for name, own in a.sets.items()
            if name in b.sets
            and (own.images, own.originals) == (b.sets[name].images, b.sets[name].originals)
        ]
        comparable = bool(self.ood) and set(self.ood) <= set(shared)
        return PairedDifferences(
            a.label,
            b.label,
            self._paired(a, b, self.ood) if comparable else None,
            {name: self._paired(a, b, [name]) for name in shared},
        )

    def _paired(self, a: MeasuredModel, b: MeasuredModel, names: Sequence[str]) -> Gap:
        gaps = [a.sets[name].score.top1 - b.sets[name].score.top1 for name in names]
        redrawn = self._redrawn(a, names) - self._redrawn(b, names)
        return Gap(mean(gaps), interval95(redrawn))


def compare(
    models: Sequence[MeasuredModel], baseline: str | None, lines: Mapping[str, AccuracyLine]
) -> EvaluationResults:
    """Return the part of evaluation.json that is about models, without where they ran.

    `baseline`: the label of the model that all others are compared with, None for no differences.
    `lines`: by OOD set and for "ood_average", what ID accuracy predicts. The images of every set
    are redrawn once for all models that have the same ones.
    """
    return _Comparison(models, baseline, lines, redrawn_top1(models)).results()


def redrawn_top1(models: Sequence[MeasuredModel]) -> dict[tuple[str, str], Shares]:
    """Return top-1 on redrawn images by label and set: [REPLICATES] each, as in _Comparison."""
    sharing: dict[tuple[str, str, str], list[MeasuredModel]] = defaultdict(list)
    for model in models:
        for name, each in model.sets.items():
            sharing[name, each.images, each.originals].append(model)
    replicates: dict[tuple[str, str], Shares] = {}
    for (name, _, originals), members in sharing.items():
        original = members[0].sets[name].original
        correct = [model.sets[name].correct for model in members]
        redrawn = resampled_top1(correct, original, originals)
        pairs = zip(members, redrawn, strict=True)
        replicates |= {(model.label, name): shares for model, shares in pairs}
    return replicates


def ood_names(models: Iterable[MeasuredModel]) -> list[str]:
    """Return the names of all OOD sets."""
    return list(dict.fromkeys(name for model in models for name in model.ood))


def with_average(model: MeasuredModel, names: Sequence[str]) -> dict[str, float]:
    """Return top-1 by set, and by "ood_average" where the OOD sets `names` have one."""
    ood = {name: each.score.top1 for name, each in model.ood.items()}
    top1 = {name: each.score.top1 for name, each in model.sets.items()}
    return top1 | with_ood_average(ood, names)


def _interval_above(line: AccuracyLine, test: Shares, ood: Shares) -> Interval | None:
    """Return the interval of effective robustness, None where a redrawn ID accuracy has none."""
    pairs = zip(test.tolist(), ood.tolist(), strict=True)
    redrawn = [effective_robustness(id_, shifted, line) for id_, shifted in pairs]
    known = [value for value in redrawn if value is not None]
    return interval95(np.array(known)) if len(known) == len(redrawn) else None
