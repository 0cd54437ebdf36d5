"""Models to look at, for given images: stored ones, or the one that a run starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from torch import Tensor

from cfft.config.resolve import RunConfig
from cfft.encoder.encoder import Classifier, Head
from cfft.model.class_columns import class_columns
from cfft.model.rebuild import Rebuilt, load_classifier
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Reporter
from cfft.training.starting_model import starting_model

if TYPE_CHECKING:
    from accelerate import Accelerator


def opened_model(
    path: Path | None,
    config: RunConfig,
    classes: tuple[str, ...],
    registry: Registry,
    accelerator: Accelerator,
    reporter: Reporter,
) -> Rebuilt:
    """Return the model stored at `path`; of None, the one that `config` starts from.

    `classes`: those of the images, by index; a stored model's are matched by name. Raises
    DataError for classes that it does not know and what `load_classifier` and `starting_model`
    raise.
    """
    if path is None:
        return starting_model(config, classes, accelerator, reporter)
    found = load_classifier(path, registry)
    known = found.description.classes
    columns = class_columns(f"model '{path}'", known, f"'{config.suite.name}'", classes)
    return found if columns is None else _with_outputs(found, columns, classes)


def _with_outputs(model: Rebuilt, columns: Tensor, classes: tuple[str, ...]) -> Rebuilt:
    """Return a model whose outputs are some of another's: `columns`, [K], int64."""
    head = model.classifier.head
    taken = Head(head.weight[columns], head.bias[columns], head.normalised)
    return Rebuilt(
        Classifier(model.classifier.encoder, taken),
        attrs.evolve(model.description, classes=classes),
    )
