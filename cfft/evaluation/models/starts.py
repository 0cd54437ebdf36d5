"""The model before fine-tuning: which one is meant, and each built once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cfft.config.resolve import RunConfig, resolve
from cfft.config.settings import Model
from cfft.errors import ConfigError
from cfft.evaluation.models.finding import run_layers
from cfft.model.description import ModelDescription, read_model
from cfft.model.rebuild import Rebuilt, described
from cfft.plugin.params import declaration, values_of
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Reporter
from cfft.training.run_directory import RunDirectory
from cfft.training.starting_model import starting_model

if TYPE_CHECKING:
    from accelerate import Accelerator

_AUTO, _PROBE = "auto", "linear-probe"


@attrs.frozen(eq=False)
class Start:
    """Say what a model before fine-tuning is built from.

    `classes`: those of its head. `seed`: that of the run whose starting model it is, else None.
    """

    config: RunConfig
    classes: tuple[str, ...]
    seed: int | None = None


@attrs.frozen(eq=False)
class Starts:
    """Build models before fine-tuning, once each however many runs share one.

    `config`: what options, and beside runs the first run, say of images and model. `named`: the
    settings of the model that options say themselves. `classes`: those of the suite.
    """

    registry: Registry
    config: RunConfig
    named: frozenset[str]
    classes: tuple[str, ...]
    accelerator: Accelerator
    reporter: Reporter
    built: dict[str, Rebuilt] = attrs.field(factory=dict, init=False)

    def meant(self, runs: Sequence[RunDirectory]) -> Start:
        """Return the start that options name, else that of the runs, all of which must share it.

        Raises ConfigError where they do not.
        """
        if "name" in self.named or not runs:
            return Start(self.config, self.classes)
        configs = [self._config_of(run) for run in runs]
        if any(config.model != configs[0].model for config in configs):
            raise ConfigError(
                "the runs start from different models: say with --model and --pretrained which "
                "one is meant before fine-tuning"
            )
        asked = attrs.evolve(configs[0], model=self.config.model)
        trained = described(read_model(runs[0].root))
        if "head" not in self.named or asked.model.head == _AUTO:
            asked = _with_model(asked, head=trained.head)
        classes = trained.classes if asked.model.head == _PROBE else self.classes
        return Start(asked, classes, asked.seed)

    def of_run(self, run: RunDirectory, trained: ModelDescription) -> Rebuilt:
        """Build what a run started from; `trained`: what it made of it."""
        config = _with_model(self._config_of(run), head=trained.head)
        return self.build(Start(config, trained.classes))

    def head(self, start: Start) -> str:
        """Return the kind of head; the model is built where only that can tell."""
        asked = start.config.model.head
        return self.build(start).description.head if asked == _AUTO else asked

    def from_file(self, path: Path) -> Rebuilt:
        """Take a weight file without a head for a pre-trained model, with the head asked for."""
        config = _with_model(self.config, pretrained=str(path))
        return starting_model(config, self.classes, self.accelerator, self.reporter)

    def build(self, start: Start) -> Rebuilt:
        """Return a model that others get as well: nobody may change it."""
        key = json.dumps([what_it_depends_on(start.config), start.classes])
        if key not in self.built:
            self.built[key] = starting_model(
                start.config, start.classes, self.accelerator, self.reporter
            )
        return self.built[key]

    def _config_of(self, run: RunDirectory) -> RunConfig:
        return resolve(self.registry, run_layers(run.config))


def _with_model(config: RunConfig, **changes: str) -> RunConfig:
    settings = {**values_of(config.model), **changes}
    return attrs.evolve(config, model=declaration(Model).build(settings, {}))


def what_it_depends_on(config: RunConfig) -> dict[str, Any]:
    """Return what makes a starting model; only a probe depends on seed and images."""
    tables = config.to_dict()
    needed = ["model", "backbone"]
    if config.model.head in (_AUTO, _PROBE):
        needed += ["seed", "suite", "training"]
    return {key: tables[key] for key in needed}
