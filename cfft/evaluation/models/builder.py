"""Build the models of an evaluation: stored ones, those before fine-tuning, weight ensembles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.config.settings import Model
from cfft.data.suite import Suite
from cfft.errors import WeightsError
from cfft.evaluation.models.finding import run_layers
from cfft.evaluation.models.foreign import load_foreign
from cfft.model.description import read_model
from cfft.model.merge import average_weights
from cfft.model.rebuild import rebuild
from cfft.plugin.params import declaration, values_of
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Reporter
from cfft.scoring.loaded_model import LoadedModel
from cfft.training.run_directory import RunDirectory
from cfft.training.starting_model import alike_classes, starting_model

if TYPE_CHECKING:
    from accelerate import Accelerator

AUTO, PROBE = "auto", "linear-probe"


@attrs.frozen(eq=False)
class ModelBuilder:
    """Build models on the CPU: stored ones anew, those before fine-tuning once each.

    `config`: what options, and beside runs the first run, say of images and model. `classes`:
    those of the suite.
    """

    registry: Registry
    config: RunConfig
    classes: tuple[str, ...]
    accelerator: Accelerator
    reporter: Reporter
    built: dict[str, LoadedModel] = attrs.field(factory=dict, init=False)

    def stored(self, path: Path) -> LoadedModel:
        """Build the model of a run, a checkpoint or a weight file, which may be another program's.

        A file without a head is a pre-trained model and gets the head that is configured.
        """
        file = read_model(path)
        if file.description is not None:
            return LoadedModel(rebuild(file, self.registry), file.description)
        foreign = load_foreign(file, self.config, self.classes)
        if foreign is not None:
            for line in file.warnings:
                self.reporter.warned(line)
            return foreign
        config = with_model(self.config, pretrained=str(path))
        return self._starting(config, self.classes)

    def start(self, config: RunConfig, classes: tuple[str, ...]) -> LoadedModel:
        """Build a model before fine-tuning, once for all callers: nobody may change it."""
        key = json.dumps([start_settings(config), classes])
        if key not in self.built:
            self.built[key] = self._starting(config, classes)
        return self.built[key]

    def _starting(self, config: RunConfig, classes: tuple[str, ...]) -> LoadedModel:
        """Build a starting model, and warn of classes that it cannot tell apart."""
        built = starting_model(config, classes, self.accelerator, self.reporter)
        warning = alike_classes(built, Suite.of(config.suite.strategy).shared_names)
        if warning is not None:
            self.reporter.warned(warning)
        return built

    def starting_head(self, config: RunConfig, classes: tuple[str, ...]) -> str:
        """Return the kind of head of `start`, which is built where only that can tell."""
        asked = config.model.head
        return self.start(config, classes).description.head if asked == AUTO else asked

    def ensemble(self, run: RunDirectory, alpha: float) -> LoadedModel:
        """Return (1 - alpha) * the run's starting model + alpha * its fine-tuned one."""
        end = self.stored(run.root)
        config = with_model(self.config_of(run), head=end.description.head)
        start = self.start(config, end.classes)
        problems = end.description.differences(start.description)
        if problems:
            raise WeightsError(
                f"{run.root}: its starting model is no longer the same: {'; '.join(problems)}"
            )
        weights = average_weights(start.classifier.weights(), end.classifier.weights(), alpha)
        end.classifier.load_weights(weights)
        return end

    def config_of(self, run: RunDirectory) -> RunConfig:
        """Return the suite and the model that a run was configured with."""
        return resolve(self.registry, run_layers(run.config))


def with_model(config: RunConfig, **changes: str) -> RunConfig:
    """Return the configuration with other settings of the table [model]."""
    settings = {**values_of(config.model), **changes}
    return attrs.evolve(config, model=declaration(Model).build(settings, {}))


def start_settings(config: RunConfig) -> Mapping[str, Any]:
    """Return the settings that make a starting model; only a probe depends on seed and images."""
    tables = config.to_dict()
    needed = ["model", "backbone"]
    if config.model.head in (AUTO, PROBE):
        needed += ["seed", "suite", "training"]
    return {key: tables[key] for key in needed}
