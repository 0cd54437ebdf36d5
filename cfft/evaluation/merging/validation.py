"""Validation images for candidates of a merge, opened when the first is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
from torch import Tensor

from cfft.config.layers import Layer
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.config.settings import Evaluation
from cfft.data.fingerprint import set_fingerprint
from cfft.data.sets import training_sets
from cfft.data.suite import ImageSet
from cfft.errors import ConfigError
from cfft.evaluation.images.leakage import check_one_suite
from cfft.evaluation.merging.members import Members
from cfft.evaluation.models.finding import ModelRef, model_layers
from cfft.model.description import read_model
from cfft.model.rebuild import described, rebuild
from cfft.plugin.registry import Registry
from cfft.runtime.devices import make_accelerator
from cfft.runtime.progress import Reporter
from cfft.scoring.evaluate import Reading, predict_together, score
from cfft.scoring.loaded_model import LoadedModel

if TYPE_CHECKING:
    from accelerate import Accelerator


@attrs.define(eq=False)
class Validation:
    """Measure weights on the validation images of a suite.

    `asked`: what options say of the images; what they leave open is that of the first run among
    `members`. `opened`: None until weights are measured.
    """

    members: Members
    asked: Layer
    settings: Evaluation
    registry: Registry
    reporter: Reporter
    opened: _Opened | None = attrs.field(default=None, init=False)

    def __call__(self, weights: Mapping[str, Tensor]) -> float:
        """Return top-1 on the validation images, 0 to 1."""
        return self.open().top1(weights, self.reporter)

    def open(self) -> _Opened:
        """Open the images and build the model; raises a CfftError that the user can fix."""
        if self.opened is None:
            self.opened = self._open()
        return self.opened

    def _open(self) -> _Opened:
        reference = self.members.described
        if reference is None or reference.path is None:
            raise ConfigError(
                "candidates are measured on validation images, and none of the models says its "
                "architecture: give a run or checkpoint directory among them"
            )
        config = self._config()
        sets = training_sets(config.suite.strategy, config.seed)
        self._warn_of_leakage(config, sets.val)
        file = read_model(reference.path)
        model = LoadedModel(rebuild(file, self.registry), described(file))
        fitting = model.for_classes(reference.text, config.suite.name, sets.classes)
        accelerator = make_accelerator(self.settings.precision)
        model.classifier.to(accelerator.device)
        prepared = model.preprocessing
        reading = Reading(prepared, self.settings.batch_size, self.settings.workers)
        return _Opened(config, sets.val, fitting, reading, accelerator)

    def _config(self) -> RunConfig:
        stored = self.members.stored
        if "suite" not in self.asked.chosen and not any(ref.run for ref in stored):
            raise ConfigError(
                "candidates are measured on validation images, and none of the models is a run, "
                "whose images these could be: give --suite NAME with its options"
            )
        config = resolve(self.registry, model_layers(stored, self.asked))
        check_one_suite(stored, self.asked, config, self.registry)
        return config

    def _warn_of_leakage(self, config: RunConfig, val: ImageSet) -> None:
        others = [ref for ref in self.members.tuned if ref.seeds and config.seed not in ref.seeds]
        for ref in dict.fromkeys(others):
            own = training_sets(config.suite.strategy, ref.seeds[0]).val
            if set_fingerprint(own) != set_fingerprint(val):
                self.reporter.warned(_leak(ref, config.seed))


def _leak(ref: ModelRef, seed: int) -> str:
    seeds = ", ".join(map(str, ref.seeds))
    return (
        f"{ref.text} was trained with seed {seeds}: validation images drawn with seed {seed} may "
        "be images that it was trained on, so that its accuracy here is too good"
    )


@attrs.frozen(eq=False)
class _Opened:
    config: RunConfig
    images: ImageSet
    model: LoadedModel
    reading: Reading
    accelerator: Accelerator

    def top1(self, weights: Mapping[str, Tensor], reporter: Reporter) -> float:
        self.model.classifier.load_weights(weights)
        with reporter.task("validating", len(self.images)) as advance:
            alone: Sequence[LoadedModel] = [self.model]
            found = predict_together(alone, self.images, self.reading, self.accelerator, advance)
            return score(next(iter(found))).top1
