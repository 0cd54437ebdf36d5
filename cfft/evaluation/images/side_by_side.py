"""Several models over the same images: each image is decoded once, whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from cfft.data.loading import image_transform
from cfft.data.suite import ImageSet
from cfft.encoder.encoder import Classifier
from cfft.errors import DataError
from cfft.model.class_columns import class_columns
from cfft.model.rebuild import Rebuilt
from cfft.records import Preprocessing
from cfft.runtime.progress import Advance, ignore
from cfft.scoring.evaluate import Reading, outputs_of, predictions_of
from cfft.scoring.predictions import Predictions

if TYPE_CHECKING:
    from accelerate import Accelerator


Sizing = tuple[tuple[int, int], int, str]


@attrs.frozen(eq=False)
class Fitted:
    """Hold a model whose logits are to be those of a suite's classes.

    `columns`: [K], which of its own outputs they are; None: all, in the same order. `head` and
    `facts`: as in its description.
    """

    classifier: Classifier
    preprocessing: Preprocessing
    columns: Tensor | None
    head: str | None = None
    facts: Mapping[str, str] | None = None

    def logits(self, images: Tensor) -> Tensor:
        """Return logits [B, K] of images [B, 3, H, W] in 0..1, in the dtype of autocast."""
        logits: Tensor = self.classifier(images).logits
        return logits if self.columns is None else logits[:, self.columns.to(logits.device)]

    @property
    def sizing(self) -> Sizing:
        """What two models must share to see the same pixels; mean and std are the encoder's."""
        prepared = self.preprocessing
        return prepared.size, prepared.resize, prepared.interpolation


def fitted(model: Rebuilt, label: str, suite: str, classes: Sequence[str]) -> Fitted:
    """Match a model's classes with those of a suite; raises DataError where they do not fit."""
    described = model.description
    columns = class_columns(f"model '{label}'", described.classes, f"'{suite}'", classes)
    image_transform(described.preprocessing)  # raises for what cannot be done to images
    return Fitted(
        model.classifier, described.preprocessing, columns, described.head, described.facts
    )


def alike(models: Sequence[Fitted]) -> list[list[int]]:
    """Return the positions of the models that see the same pixels, group by group."""
    groups: dict[Sizing, list[int]] = {}
    for position, model in enumerate(models):
        groups.setdefault(model.sizing, []).append(position)
    return list(groups.values())


def predict_together(
    models: Sequence[Fitted],
    image_set: ImageSet,
    reading: Callable[[Preprocessing], Reading],
    accelerator: Accelerator,
    advance: Advance = ignore,
) -> Iterator[Predictions]:
    """Return what each model says of a set; all see the same pixels and are on the device.

    Raises DataError naming set and image where one cannot be read.
    """

    def together(images: Tensor) -> Tensor:
        return torch.stack([model.logits(images) for model in models], dim=1)  # [B, models, K]

    how = reading(models[0].preprocessing)
    try:
        logits = outputs_of(together, image_set, how, accelerator, advance)
    except DataError as error:
        raise DataError(
            f"set '{image_set.name}': {error}; mend or remove it, or leave it out with "
            "--skip-unreadable"
        ) from error
    return (predictions_of(each, image_set) for each in logits.unbind(dim=1))
