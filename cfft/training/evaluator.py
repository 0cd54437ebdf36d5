"""Measurements during a run: features, their variance, accuracies of sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from cfft.data.images import ImageSubset
from cfft.data.splits import stratified_subset
from cfft.data.suite import ImageSet, SuiteSets
from cfft.encoder.encoder import Classifier, Encoder
from cfft.runtime.progress import Reporter
from cfft.scoring.averages import ood_average
from cfft.scoring.evaluate import Reading, outputs_of, predictions_of, score
from cfft.scoring.predictions import Predictions
from cfft.scoring.results import SetResult
from cfft.step.passes import FrozenTeacher
from cfft.training.results import ModelResults

if TYPE_CHECKING:
    from accelerate import Accelerator

VARIANCE_SAMPLE = 2048
"""Training images, drawn by class, on which a teacher's feature variance is measured."""


@attrs.frozen(eq=False)
class Evaluator:
    """Run models over the sets of a run and tell the reporter how far that is."""

    sets: SuiteSets
    reading: Reading
    accelerator: Accelerator
    reporter: Reporter

    def training_features(self, encoder: Encoder) -> tuple[Tensor, Tensor]:
        """Return features [N, D] and labels [N] of the training images, on the CPU."""
        encoder.to(self.accelerator.device)
        features = self._outputs("encoding training images", encoder, self.sets.train)
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
        features = self._outputs(task, lambda images: teacher(images).features, sample)
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
        logits = self._outputs(task, lambda images: classifier(images).logits, image_set)
        return predictions_of(logits, image_set)

    def _outputs(self, task: str, model: Callable[[Tensor], Tensor], image_set: ImageSet) -> Tensor:
        with self.reporter.task(task, len(image_set)) as advance:
            return outputs_of(model, image_set, self.reading, self.accelerator, advance)


def model_results(sets: dict[str, SetResult]) -> ModelResults:
    """Return what results.json says of a model."""
    shares = {name: each.top1 for name, each in sets.items() if each.role == "ood"}
    return ModelResults(sets, ood_average(shares, shares))
