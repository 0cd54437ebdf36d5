"""What a session measures besides training: features, their variance, accuracies of sets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from cfft.data.images import ImageSubset
from cfft.data.splits import stratified_subset
from cfft.data.suite import ImageSet, SuiteSets
from cfft.encoder.encoder import Classifier, Encoder
from cfft.runtime.progress import Reporter
from cfft.scoring.evaluate import Reading, evaluate, mean_top1, outputs_of, score
from cfft.scoring.predictions import Predictions
from cfft.scoring.results import SetResult
from cfft.step.passes import FrozenTeacher
from cfft.training.results import ModelResults

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

    def results(
        self, classifier: Classifier, keep: Callable[[str, Predictions], None]
    ) -> ModelResults:
        """Return the accuracies on test and OOD sets; `keep` is given each set's predictions."""
        sets: dict[str, SetResult] = {}
        for image_set in (self.sets.test, *self.sets.ood):
            found = self.predictions(classifier, image_set)
            keep(image_set.name, found)
            sets[image_set.name] = score(found, "id" if image_set is self.sets.test else "ood")
        return model_results(sets)

    def predictions(self, classifier: Classifier, image_set: ImageSet) -> Predictions:
        """Return the predictions for a set."""
        task = f"evaluating {image_set.name}"
        advanced = self._starts(task, image_set)
        found = evaluate(classifier, image_set, self.reading, self.accelerator, advanced)
        self.reporter.ended(task)
        return found

    def _starts(self, task: str, image_set: ImageSet) -> Callable[[int], None]:
        self.reporter.started(task, len(image_set))
        return partial(self.reporter.advanced, task)


def model_results(sets: dict[str, SetResult]) -> ModelResults:
    """Return what results.json says of a model."""
    return ModelResults(sets, mean_top1(each for each in sets.values() if each.role == "ood"))
