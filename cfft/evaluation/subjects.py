"""From what a user names to classifiers: runs, weight ensembles, files, the model before."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cfft.before import starting_model
from cfft.config import RunConfig, resolve
from cfft.errors import ConfigError, WeightsError
from cfft.evaluation.finding import Found, labels, run_layers
from cfft.evaluation.foreign import classifier_tensors, load_foreign
from cfft.evaluation.groups import group_names
from cfft.evaluation.measured import Identity
from cfft.merge import average_weights
from cfft.models import ModelDescription, StoredModel, read_model
from cfft.params import declaration, values_of
from cfft.progress import Reporter
from cfft.rebuild import Rebuilt, described, rebuild
from cfft.registry import Registry
from cfft.settings import Model

if TYPE_CHECKING:
    from accelerate import Accelerator

_PROBE = "linear-probe"


@attrs.frozen(eq=False)
class Subject:
    """Name a model to be measured; `load` builds it on the CPU, anew on every call."""

    identity: Identity
    load: Callable[[], Rebuilt]


@attrs.frozen(eq=False)
class Subjects:
    """Build the models that a user names.

    `config`: what options, and beside runs the first run, say of pictures and model. `named`:
    whether the options name a model themselves, or its head. `classes`: those of the suite.
    """

    registry: Registry
    config: RunConfig
    named: frozenset[str]
    classes: tuple[str, ...]
    accelerator: Accelerator
    reporter: Reporter
    starts: dict[str, Rebuilt] = attrs.field(factory=dict, init=False)

    def of(self, found: Sequence[Found], alphas: Sequence[float]) -> list[Subject]:
        """Return a subject for each model, and after each run those of its weight ensembles.

        Nothing is built yet. Raises ConfigError for `alphas` without a run.
        """
        runs = [model for model in found if model.run_config is not None]
        if alphas and not runs:
            raise ConfigError(
                "--alphas mixes the weights of a run with those that it started from: "
                "give a run directory"
            )
        names = dict(zip(found, labels(found), strict=True))
        groups = dict(zip(runs, group_names([_read(run) for run in runs]), strict=True))
        return [
            subject
            for model in found
            for subject in self._subjects(model, names[model], groups.get(model), runs, alphas)
        ]

    def _subjects(
        self,
        model: Found,
        label: str,
        group: str | None,
        runs: Sequence[Found],
        alphas: Sequence[float],
    ) -> Iterator[Subject]:
        if model.path is None:
            seed = None if "name" in self.named or not runs else _read(runs[0])["seed"]
            identity = Identity(label, model.text, "zero-shot", label, seed)
            yield Subject(identity, partial(self._before, runs))
        elif group is None:
            yield Subject(
                Identity(label, model.text, "weights", label), partial(self._stored, model.path)
            )
        else:
            seed = _read(model)["seed"]
            own = Identity(label, model.text, "run", group, seed)
            yield Subject(own, partial(self._stored, model.path))
            for alpha in alphas:
                mixed = attrs.evolve(own, label=f"{label} alpha={alpha:g}", alpha=alpha)
                yield Subject(mixed, partial(self._ensemble, model, model.path, alpha))

    def _stored(self, path: Path) -> Rebuilt:
        stored = read_model(path)
        if stored.description is not None:
            return Rebuilt(rebuild(stored, self.registry), described(stored))
        tensors = classifier_tensors(stored.file.tensors)
        if tensors is not None:
            return load_foreign(stored.file, tensors, self.config, self.classes)
        return self._pretrained_file(stored)

    def _pretrained_file(self, stored: StoredModel) -> Rebuilt:
        """Take a file without a head for a pre-trained model, which gets the head asked for."""
        config = _with_model(self.config, pretrained=str(stored.file.path))
        return starting_model(config, self.classes, self.accelerator, self.reporter)

    def _before(self, runs: Sequence[Found]) -> Rebuilt:
        """Return the model before fine-tuning: the one that options name, or that of the runs."""
        if "name" in self.named or not runs:
            return self._start(self.config, self.classes)
        configs = [self._run_config(run) for run in runs]
        if any(config.model != configs[0].model for config in configs):
            raise ConfigError(
                "the runs start from different models: say with --model and --pretrained which "
                "one is meant before fine-tuning"
            )
        asked = attrs.evolve(configs[0], model=self.config.model)
        trained = _description(runs[0])
        if "head" not in self.named:
            asked = _with_model(asked, head=trained.head)
        classes = trained.classes if asked.model.head == _PROBE else self.classes
        return self._start(asked, classes)

    def _ensemble(self, run: Found, path: Path, alpha: float) -> Rebuilt:
        """Return (1 - alpha) * the run's starting model + alpha * its fine-tuned one."""
        end = self._stored(path)
        trained = end.description
        start = self._start(_with_model(self._run_config(run), head=trained.head), trained.classes)
        problems = trained.differences(start.description)
        if problems:
            raise WeightsError(
                f"{path}: its starting model is no longer the same: {'; '.join(problems)}"
            )
        weights = average_weights(start.classifier.weights(), end.classifier.weights(), alpha)
        end.classifier.load_weights(weights)
        return end

    def _start(self, config: RunConfig, classes: tuple[str, ...]) -> Rebuilt:
        """Build a starting model once, however many runs share it; nobody may change it."""
        key = json.dumps([_what_start_needs(config), classes])
        if key not in self.starts:
            self.starts[key] = starting_model(config, classes, self.accelerator, self.reporter)
        return self.starts[key]

    def _run_config(self, run: Found) -> RunConfig:
        return resolve(self.registry, run_layers(_config_file(run)))


def run_seeds(found: Sequence[Found]) -> dict[str, int]:
    """Return the seed of each run among the models, by its path."""
    return {str(m.path): _read(m)["seed"] for m in found if m.run_config is not None}


def _what_start_needs(config: RunConfig) -> dict[str, Any]:
    """Return what a starting model depends on; only a probe depends on seed and pictures."""
    tables = config.to_dict()
    needed = ["model", "backbone"]
    if config.model.head in ("auto", _PROBE):
        needed += ["seed", "suite", "training"]
    return {key: tables[key] for key in needed}


def _with_model(config: RunConfig, **changes: str) -> RunConfig:
    """Return the configuration with other settings of its model."""
    settings = {**values_of(config.model), **changes}
    return attrs.evolve(config, model=declaration(Model).build(settings, {}))


def _config_file(run: Found) -> Path:
    if run.run_config is None:
        raise ConfigError(f"{run.text} is no run directory")
    return run.run_config


def _read(run: Found) -> dict[str, Any]:
    return tomllib.loads(_config_file(run).read_text("utf-8"))


def _description(run: Found) -> ModelDescription:
    return described(read_model(_config_file(run).parent))
