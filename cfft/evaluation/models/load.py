"""Load models: stored ones, or for given classes the one that a run would start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cfft.config.run_config import RunConfig
from cfft.encoder.encoder import Classifier, Head
from cfft.model.description import read_model
from cfft.model.rebuild import described, rebuild
from cfft.plugin.registry import Registry
from cfft.runtime.files import user_path
from cfft.runtime.progress import Reporter
from cfft.scoring.loaded_model import LoadedModel
from cfft.training.starting_model import starting_model

if TYPE_CHECKING:
    from accelerate import Accelerator


def load(path: Path | str, registry: Registry | None = None) -> LoadedModel:
    """Load the model of a run directory (its best), a checkpoint directory or a file in one.

    `registry`: where its backbone is found; None: among everything installed. Raises WeightsError
    where nothing says which model it is or the weights do not fit, and ConfigError where its
    backbone is not installed.
    """
    file = read_model(user_path(path))
    return LoadedModel(rebuild(file, registry or Registry.installed()), described(file))


def load_for_classes(
    path: Path | None,
    config: RunConfig,
    classes: tuple[str, ...],
    registry: Registry,
    accelerator: Accelerator,
    reporter: Reporter,
) -> LoadedModel:
    """Load the model at `path`, or for None the one that `config` starts from, with these outputs.

    `classes`: those of the images, by index; a stored model's are matched by name and its head is
    cut accordingly. Raises DataError for classes that it does not know and what `load` and
    `starting_model` raise.
    """
    if path is None:
        return starting_model(config, classes, accelerator, reporter)
    model = load(path, registry).for_classes(str(path), config.suite.name, classes)
    if model.columns is None:
        return model
    weight, bias = model.head.weight[model.columns], model.head.bias[model.columns]
    classifier = Classifier(model.encoder, Head(weight, bias, model.head.normalised))
    return LoadedModel(classifier, model.description)
