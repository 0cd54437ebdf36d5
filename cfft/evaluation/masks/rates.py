"""Coverage of objects by masks: the figures of the paper's Table 2, and trivial masks."""

from __future__ import annotations

import torch
from torch import Tensor

IGNORED = 255
"""Value of segmentation pixels that belong to neither object nor context."""

FIGURES = ("image_masking_rate", "object_masking_rate", "iou")


def mask_figures(hidden: Tensor, segmentation: Tensor) -> Tensor:
    """Return n(M)/n(I), n(M & M_seg)/n(M_seg) and IoU of each image, as FIGURES names them.

    `hidden`: M, [B, H, W], bool. `segmentation`: M_seg, [B, H, W], integer: 1 object, 0 context,
    IGNORED left out of every count. Returns [B, 3], float64, in 0..1; an image without object
    pixels gives a row of NaN, for nothing can be said of its object. Paper, Table 2.
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
