"""Measurements during a run: features, their variance, accuracies of sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from cfft.data.images import ImageSubset
from cfft.data.splits import stratified_subset
from cfft.data.suite import ImageSet, SuiteSets
from cfft.encoder.encoder import Classifier, Encoder
from cfft.records import Batch
from cfft.runtime.devices import processes_of
from cfft.runtime.mapped import mapped_zeros
from cfft.runtime.progress import EVALUATING, Reporter
from cfft.runtime.randomness import generator
from cfft.scoring.evaluate import Reading, outputs_of, predictions_on, rows_of, score
from cfft.scoring.predictions import Predictions
from cfft.scoring.results import SetResult
from cfft.scoring.scores import class_results, validation_scores
from cfft.step.constants import Constants, KeptOutputs
from cfft.step.engine import TrainingStep
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
        the training set, drawn from `seed`.
        """
        train = self.sets.train
        count = max(VARIANCE_SAMPLE, len(set(train.labels)))
        indices = tuple(stratified_subset(train.labels, count, seed))
        sample = ImageSubset(whole=train, indices=indices, name=train.name)
        task = f"measuring teacher '{label}'"
        features = self._outputs(task, lambda images: teacher(images).features, sample)
        return float(mean_variance(features))

    def constants(
        self, step: TrainingStep, constants: Constants, folder: Path, seed: int
    ) -> KeptOutputs:
        """Compute what is constant of the training images; its pages lie on the disk of `folder`.

        Draws, which nothing constant depends on, are of generators of their own.
        """
        if not constants:
            return KeptOutputs()

        def draw(purpose: str) -> torch.Generator:
            return generator(seed, f"constant-{purpose}")

        def allocate(shape: tuple[int, ...], *, dtype: torch.dtype) -> Tensor:
            return processes_of(self.accelerator).each(lambda: mapped_zeros(shape, dtype, folder))

        @torch.enable_grad()
        def measure(batch: Batch) -> list[Tensor]:
            rows = step.constant_rows(batch, constants, draw)
            return [each if each.dtype == torch.float16 else each.float() for each in rows]

        train, task = self.sets.train, "computing what is constant"
        with self.reporter.task(task, len(train)) as advance:
            parts = (measure, train, self.reading, self.accelerator, advance, allocate)
            rows = iter(rows_of(*parts))
        maps = {cam: next(rows) for cam in constants.maps}
        return KeptOutputs(maps, {seen: next(rows) for seen in constants.features})

    def validation_top1(self, classifier: Classifier) -> float:
        return score(self.predictions(classifier, self.sets.val)).top1

    def validation(self, classifier: Classifier) -> dict[str, float]:
        """Return top-1, class mean and loss on the validation images; see `validation_scores`."""
        return validation_scores(self.predictions(classifier, self.sets.val))

    def results(
        self,
        classifier: Classifier,
        keep: Callable[[str, Predictions], None],
        told: Callable[[str, SetResult], None] | None = None,
    ) -> ModelResults:
        """Return the accuracies on test and OOD sets; `keep` is given each set's predictions.

        `told` hears of each set once it is measured.
        """
        sets: dict[str, SetResult] = {}
        for image_set in (self.sets.test, *self.sets.ood):
            found = self.predictions(classifier, image_set)
            keep(image_set.name, found)
            measured = score(found, "id" if image_set is self.sets.test else "ood")
            by_class = class_results(found, self.sets.classes)
            sets[image_set.name] = attrs.evolve(measured, by_class=by_class)
            if told is not None:
                told(image_set.name, measured)
        return ModelResults.of(sets)

    def predictions(self, classifier: Classifier, image_set: ImageSet) -> Predictions:
        with self.reporter.task(f"{EVALUATING} {image_set.name}", len(image_set)) as advance:
            return predictions_on(classifier, image_set, self.reading, self.accelerator, advance)

    def _outputs(self, task: str, model: Callable[[Tensor], Tensor], image_set: ImageSet) -> Tensor:
        with self.reporter.task(task, len(image_set)) as advance:
            return outputs_of(model, image_set, self.reading, self.accelerator, advance)


def mean_variance(features: Tensor) -> Tensor:
    """Return the mean over features [N, D] of their variance, which divides by N: [], float64."""
    return features.double().var(dim=0, correction=0).mean()
