"""Several models over the same images: each image is decoded once, whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cfft.data.suite import ImageSet
from cfft.errors import DataError
from cfft.records import Preprocessing
from cfft.runtime.progress import Advance, ignore
from cfft.scoring.evaluate import Reading, outputs_of, predictions_of
from cfft.scoring.loaded_model import LoadedModel
from cfft.scoring.predictions import Predictions

if TYPE_CHECKING:
    from accelerate import Accelerator


def alike(models: Sequence[LoadedModel]) -> list[list[int]]:
    """Return the positions of the models that see the same pixels, group by group.

    Mean and standard deviation may differ: they are the encoder's business.
    """
    groups: dict[tuple[tuple[int, int], int, str], list[int]] = {}
    for position, model in enumerate(models):
        prepared = model.preprocessing
        sizing = prepared.size, prepared.resize, prepared.interpolation
        groups.setdefault(sizing, []).append(position)
    return list(groups.values())


def predict_together(
    models: Sequence[LoadedModel],
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
