"""What a session measures besides training: features, their variance, accuracies of sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import Tensor

from cfft.data.images import ImageSubset
from cfft.data.splits import stratified_subset
from cfft.data.suite import ImageSet, SuiteSets
from cfft.encoder.encoder import Classifier, Encoder
from cfft.runtime.progress import Reporter
from cfft.scoring.averages import ood_average
from cfft.scoring.evaluate import Reading, Score, evaluate, outputs_of, score
from cfft.scoring.predictions import Predictions
from cfft.step.passes import FrozenTeacher

if TYPE_CHECKING:
    from accelerate import Accelerator

VARIANCE_SAMPLE = 2048
"""Training images, drawn by class, on which a teacher's feature variance is measured."""


@attrs.frozen(eq=False)
class Measuring:
    """Run models over the sets of a run and tell the reporter how far that is."""

    sets: SuiteSets
    reading: Reading
    accelerator: Accelerator
    reporter: Reporter

    def training_features(self, encoder: Encoder) -> tuple[Tensor, Tensor]:
        """Return features [N, D] and labels [N] of the training images, on the CPU."""
        encoder.to(self.accelerator.device)
        task = "encoding training images"
        advanced = self._starts(task, self.sets.train)
        features = outputs_of(encoder, self.sets.train, self.reading, self.accelerator, advanced)
        self.reporter.ended(task)
        encoder.to("cpu")
        return features, torch.tensor(self.sets.train.labels)

    def feature_variance(self, label: str, teacher: FrozenTeacher, seed: int) -> float:
        """Return the mean over features of their variance over a sample of training images.

        The sample has at most VARIANCE_SAMPLE images, or one a class, with the class shares of
        the training set, drawn from `seed`. The variance divides by N.
        """
        train = self.sets.train
        count = max(VARIANCE_SAMPLE, len(set(train.labels)))
        indices = tuple(stratified_subset(train.labels, count, seed))
        sample = ImageSubset(whole=train, indices=indices, name=train.name)
        task = f"measuring teacher '{label}'"
        advanced = self._starts(task, sample)
        features = outputs_of(
            lambda images: teacher(images).features,
            sample,
            self.reading,
            self.accelerator,
            advanced,
        )
        self.reporter.ended(task)
        return float(features.double().var(dim=0, correction=0).mean())

    def validation_top1(self, classifier: Classifier) -> float:
        """Return the accuracy on the validation set."""
        return score(self.predictions(classifier, self.sets.val)).top1

    def scores(self, classifier: Classifier, keep: Callable[[str, Predictions], None]) -> SetScores:
        """Return the accuracies on test and OOD sets; `keep` is given each set's predictions."""
        test, *ood = self._named_scores(classifier, keep)
        return SetScores(test, tuple(ood))

    def predictions(self, classifier: Classifier, image_set: ImageSet) -> Predictions:
        """Return the predictions for a set."""
        task = f"evaluating {image_set.name}"
        advanced = self._starts(task, image_set)
        found = evaluate(classifier, image_set, self.reading, self.accelerator, advanced)
        self.reporter.ended(task)
        return found

    def _named_scores(
        self, classifier: Classifier, keep: Callable[[str, Predictions], None]
    ) -> Iterator[tuple[str, Score]]:
        for image_set in (self.sets.test, *self.sets.ood):
            found = self.predictions(classifier, image_set)
            keep(image_set.name, found)
            yield image_set.name, score(found)

    def _starts(self, task: str, image_set: ImageSet) -> Callable[[int], None]:
        self.reporter.started(task, len(image_set))
        return partial(self.reporter.advanced, task)


@attrs.frozen
class SetScores:
    """Hold the scores of a model on the ID test set and on the OOD sets, by name."""

    test: tuple[str, Score]
    ood: tuple[tuple[str, Score], ...]

    def record(self) -> dict[str, Any]:
        """Return what results.json says of them; without OOD sets their average is None."""
        name, score = self.test
        sets = {name: score.record("id"), **{name: s.record("ood") for name, s in self.ood}}
        shares = {name: score.top1 for name, score in self.ood}
        return {"sets": sets, "ood_average": ood_average(shares, shares)}


def gains(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return how top-1 changed, after minus before, by set and for the OOD average."""
    both = before["ood_average"] is not None
    return {
        "sets": {
            name: after["sets"][name]["top1"] - entry["top1"]
            for name, entry in before["sets"].items()
        },
        "ood_average": after["ood_average"] - before["ood_average"] if both else None,
    }
