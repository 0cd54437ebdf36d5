"""Run a model over segmented images and measure its masks beside trivial ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs
import torch
from PIL import Image
from torch import Tensor

from cfft.data.loading import Loader, on_device
from cfft.data.transform import fitting, image_transform
from cfft.encoder.encoder import Classifier
from cfft.errors import DataError
from cfft.evaluation.masks.segmentations import IGNORED, Segmented
from cfft.runtime.progress import Advance, ignore
from cfft.runtime.randomness import generator
from cfft.scoring.evaluate import Reading
from cfft.step.interfaces import Cam, MaskSelector
from cfft.step.passes import CleanPass, FrozenTeacher
from cfft.step.patches import enlarged
from cfft.step.results import selected

if TYPE_CHECKING:
    from accelerate import Accelerator

FIGURES = ("image_masking_rate", "object_masking_rate", "iou")
BASELINES = ("everything", "square", "random_patches")
"""Trivial masks: all is hidden; a centred square of the same area; as many patches at random."""


@attrs.frozen
class CutMap:
    """Name a mask that cuts a class activation map at a threshold."""

    cam_name: str
    threshold: float
    cam: Cam
    mask: MaskSelector


def measure_masks(
    classifier: Classifier,
    segmented: Segmented,
    masks: Sequence[CutMap],
    reading: Reading,
    accelerator: Accelerator,
    seed: int,
    advance: Advance = ignore,
    teachers: Mapping[str, FrozenTeacher] = MappingProxyType({}),
) -> Tensor:
    """Return the figures of every image, mask and baseline: [N, masks, 1 + BASELINES, FIGURES].

    Maps and masks come from the clean pass of training, of each image's true label; place 0 of
    the third axis is the mask itself. Pixels are those that the model sees: segmentations are
    resized and cropped like images, by nearest neighbour. An image without object pixels has
    NaN. `classifier` is frozen. `teachers`: by label, those that maps or masks follow. Runs on this
    process alone; float64 on the CPU.
    """
    classifier.to(accelerator.device).eval().requires_grad_(False)
    count, size = len(segmented.images), reading.batch_size
    wanted = [list(range(start, min(start + size, count))) for start in range(0, count, size)]
    loader = Loader(segmented.images, reading.preprocessing, reading.workers)
    fitted = fitting(segmented.images, reading.preprocessing)
    transform = image_transform(attrs.evolve(fitted, interpolation="nearest"))
    rows: list[Tensor] = []
    for images, labels, indices in loader.load(wanted):
        batch = on_device(images, labels, accelerator)
        segments = [Image.fromarray(segmented.segment(index)) for index in indices.tolist()]
        truth = torch.stack([transform(segment)[0] for segment in segments])  # [B, H, W]
        truth = truth.to(accelerator.device)
        with accelerator.autocast():
            clean = CleanPass.of(classifier, batch, teachers)
            hidden = list(_hidden(clean, masks, seed, step=int(indices[0])))
        keys = _keys(seed, indices.tolist(), hidden[0][0].numel()).to(accelerator.device)
        figures = [_with_baselines(patches, truth, keys) for patches in hidden]
        rows.append(torch.stack(figures, dim=1).cpu())
        advance(sum(map(len, rows)))
    return torch.cat(rows)


def summary(figures: Tensor, masks: Sequence[CutMap], segmented: Segmented) -> list[dict[str, Any]]:
    """Return one record per mask: the means over images with an object, with those of BASELINES.

    `figures`: what `measure_masks` returned. Raises DataError where no image has an object.
    """
    has_object = ~figures[:, 0, 0, 0].isnan()
    count = int(has_object.sum())
    if not count:
        name = segmented.images.name
        raise DataError(f"no segmentation of set '{name}' has an object where the model looks")
    means = figures[has_object].mean(dim=0).tolist()  # [masks][1 + BASELINES][FIGURES]
    return [
        {
            "cam": mask.cam_name,
            "threshold": mask.threshold,
            "n": count,
            "without_object": len(figures) - count,
            "without_segmentation": segmented.missing,
            **_named(own),
            "baselines": dict(zip(BASELINES, map(_named, trivial), strict=True)),
        }
        for mask, (own, *trivial) in zip(masks, means, strict=True)
    ]


def _named(figures: Sequence[float]) -> dict[str, float]:
    return dict(zip(FIGURES, figures, strict=True))


def _hidden(clean: CleanPass, masks: Sequence[CutMap], seed: int, step: int) -> Iterator[Tensor]:
    """Give the patches that each mask hides [B, gh, gw], from one clean pass, one map per cam."""
    rng = generator(seed, "measured-mask", step=step)
    for mask in masks:
        yield selected(mask.mask, clean.batch, clean.seen_by(mask.cam, rng)).hidden


def _keys(seed: int, indices: Sequence[int], patches: int) -> Tensor:
    """Draw numbers for each image by its index, whatever its batch: [B, P]."""
    draw = partial(generator, seed, "random-patches")
    return torch.stack([torch.rand(patches, generator=draw(step=index)) for index in indices])


def _with_baselines(patches: Tensor, truth: Tensor, keys: Tensor) -> Tensor:
    """Return the figures of a mask and of its baselines: [B, 1 + BASELINES, FIGURES]."""
    size = (truth.shape[1], truth.shape[2])
    pixels, scattered = enlarged(patches, size), enlarged(random_patches(patches, keys), size)
    masks = (pixels, torch.ones_like(pixels), centred_squares(pixels), scattered)
    return torch.stack([mask_figures(each, truth) for each in masks], dim=1)


def mask_figures(hidden: Tensor, segmentation: Tensor) -> Tensor:
    """Return n(M)/n(I), n(M & M_seg)/n(M_seg) and IoU of each image, as FIGURES names them.

    `hidden`: M, [B, H, W], bool. `segmentation`: M_seg, [B, H, W], integer: 1 object, 0 context,
    IGNORED left out of every count. Returns [B, 3], float64, in 0..1; an image without object
    pixels gives a row of NaN. Paper, Table 2.
    """
    counted, is_object = segmentation != IGNORED, segmentation == 1
    pixels, hidden_pixels, object_pixels, both, either = (
        area.sum(dim=(1, 2)).double()  # [B] each
        for area in (
            counted,
            hidden & counted,
            is_object,
            hidden & is_object,
            (hidden & counted) | is_object,
        )
    )
    figures = torch.stack([hidden_pixels / pixels, both / object_pixels, both / either], dim=1)
    return figures.masked_fill((object_pixels == 0)[:, None], torch.nan)


def centred_squares(hidden: Tensor) -> Tensor:
    """Return masks of the same area around the centre: [B, H, W], bool, like `hidden`.

    The pixels nearest to the centre in the larger of the two coordinates: a square with a last
    ring that may be incomplete, and a band where the square would be larger than the image.
    """
    height, width = hidden.shape[1:]
    rows, columns = (
        (torch.arange(n, device=hidden.device) - (n - 1) / 2).abs() for n in (height, width)
    )
    distance = torch.maximum(rows[:, None], columns[None])  # [H, W]
    rank = distance.flatten().argsort(stable=True).argsort().view(height, width)
    return rank < hidden.sum(dim=(1, 2))[:, None, None]


def random_patches(hidden: Tensor, keys: Tensor) -> Tensor:
    """Return masks of as many patches, those with the lowest `keys`.

    `hidden`: [B, gh, gw], bool. `keys`: [B, gh * gw], drawn uniformly by the caller.
    """
    rank = keys.argsort(dim=1).argsort(dim=1).view(hidden.shape)  # 0 = lowest
    return rank < hidden.sum(dim=(1, 2))[:, None, None]
