"""Predict with several models at once, decoding each image once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cfft.data.suite import ImageSet
from cfft.errors import DataError
from cfft.runtime.progress import Advance, ignore
from cfft.scoring.evaluate import Reading, outputs_of, predictions_of
from cfft.scoring.loaded_model import LoadedModel
from cfft.scoring.predictions import Predictions

if TYPE_CHECKING:
    from accelerate import Accelerator


def alike(models: Mapping[int, LoadedModel]) -> list[list[int]]:
    """Return the positions of the models that see the same pixels, group by group.

    Mean and standard deviation may differ: they are the encoder's business.
    """
    groups: dict[tuple[tuple[int, int], int, str], list[int]] = {}
    for position, model in models.items():
        prepared = model.preprocessing
        sizing = prepared.size, prepared.resize, prepared.interpolation
        groups.setdefault(sizing, []).append(position)
    return list(groups.values())


def predict_together(
    models: Sequence[LoadedModel],
    image_set: ImageSet,
    reading: Reading,
    accelerator: Accelerator,
    advance: Advance = ignore,
) -> Iterator[Predictions]:
    """Return the predictions of each model for a set.

    All see the same pixels and are on the device. Raises DataError naming set and
    image where one cannot be read.
    """

    def together(images: Tensor) -> Tensor:
        return torch.stack([model.logits(images) for model in models], dim=1)  # [B, models, K]

    try:
        logits = outputs_of(together, image_set, reading, accelerator, advance)
    except DataError as error:
        raise DataError(
            f"set '{image_set.name}': {error}; fix or remove it, or leave it out with "
            "--skip-unreadable"
        ) from error
    return (predictions_of(each, image_set) for each in logits.unbind(dim=1))
