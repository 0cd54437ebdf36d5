"""The transform from an image to the pixels that a model sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import attrs
from PIL import Image
from torch import Tensor
from torchvision import transforms

from cfft.data.suite import ImageSet
from cfft.errors import ConfigError, unknown_name
from cfft.records import Preprocessing

Sizing: TypeAlias = tuple[tuple[int, int], int, str]
"""Size, resized short side and interpolation: what decides over pixels."""

_MOST_RESIZED = 179_000_000  # pixels
_INTERPOLATIONS = {mode.value: mode for mode in transforms.InterpolationMode}


def image_transform(preprocessing: Preprocessing) -> Callable[[Any], Tensor]:
    """Return the function from an RGB image to [3, H, W], uint8, before normalisation.

    Resizes the short side with antialiasing, then crops the centre: the inference transform of
    open_clip and timm. Of an image so thin that it would be resized to more than 179 million pixels
    the middle alone is resized. Raises ConfigError for an unknown interpolation.
    """
    if preprocessing.interpolation not in _INTERPOLATIONS:
        raise ConfigError(
            unknown_name("interpolation", preprocessing.interpolation, _INTERPOLATIONS)
        )
    resize = transforms.Resize(preprocessing.resize, _INTERPOLATIONS[preprocessing.interpolation])
    crop = transforms.CenterCrop(preprocessing.size)
    bounded = partial(_middle, resize=preprocessing.resize, size=max(preprocessing.size))
    made: Callable[[Any], Tensor] = transforms.Compose(
        [bounded, resize, crop, transforms.PILToTensor()]
    )
    return made


def _middle(image: Image.Image, resize: int, size: int) -> Image.Image:
    """Return an image, or what a crop of `size` leaves of a thin one, and as much around it."""
    short, long = sorted(image.size)
    if resize * resize * long <= _MOST_RESIZED * short:
        return image
    rest = max(0, (long - math.ceil(short * (3 * size / resize + 2))) // 2)
    width, height = image.size
    if width < height:
        return image.crop((0, rest, width, height - rest))
    return image.crop((rest, 0, width - rest, height))


def fitting(images: ImageSet, preprocessing: Preprocessing) -> Preprocessing:
    """Return the preprocessing for these images, which crops nothing off `cropped` ones."""
    if not ImageSet.of(images).cropped:
        return preprocessing
    return attrs.evolve(preprocessing, resize=max(preprocessing.size))


def sizing(preprocessing: Preprocessing) -> Sizing:
    """Return what pixels depend on; mean and standard deviation are the encoder's business."""
    return preprocessing.size, preprocessing.resize, preprocessing.interpolation
