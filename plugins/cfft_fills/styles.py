"""Styles: functions that change how images look and keep what is on them.

Each takes images [B, 3, H, W] in 0..1 and a CPU generator, draws values of its own for every
image, and returns images of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi
from typing import TYPE_CHECKING

from cfft_fills.filters import blurred, filtered, luma

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_EPSILON = 1e-6
_STEEPEST, _SMALLEST = pi / 6, 0.6  # of `pose`
_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def convolution(images: Tensor, rng: torch.Generator) -> Tensor:
    """Filter each image with a random 3 x 3 kernel over all colours.

    RandConv (Xu et al. 2021, section 3.1) with kernel size 3: values from a normal distribution,
    applied to the image minus its mean over pixels and colours. There the variance of the kernel
    keeps the range on average; here every result gets the mean and the standard deviation that the
    image had over pixels and colours, and is cut to 0..1.
    """
    import torch

    kernels = torch.randn(len(images), 3, 3, 3, 3, generator=rng).to(images, non_blocking=True)
    over = (1, 2, 3)
    means = images.mean(dim=over, keepdim=True)
    found = filtered(images - means, kernels)
    found = found - found.mean(dim=over, keepdim=True)
    widths, new_widths = images.std(dim=over, keepdim=True), found.std(dim=over, keepdim=True)
    return (found * (widths / (new_widths + _EPSILON)) + means).clamp(0, 1)


def colours(images: Tensor, rng: torch.Generator) -> Tensor:
    """Turn colour space around mid-grey by a random rotation, every one equally likely.

    The rotation is that of a normally distributed quaternion (Shoemake 1992); results are cut to
    0..1. Light and dark may change places.
    """
    import torch

    quaternions = torch.randn(len(images), 4, generator=rng)
    rotations = _rotations(quaternions / quaternions.norm(dim=1, keepdim=True))
    rotations = rotations.to(images, non_blocking=True)
    flat = images.flatten(2) - 0.5  # [B, 3, H * W]
    return (rotations @ flat + 0.5).clamp(0, 1).view_as(images)


def _rotations(quaternions: Tensor) -> Tensor:
    """Return the rotations [B, 3, 3] of unit quaternions [B, 4]."""
    import torch

    w, x, y, z = quaternions.unbind(dim=1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1)


def greyscale(images: Tensor, rng: torch.Generator) -> Tensor:
    """Replace colours by their brightness (ITU-R BT.601); nothing is drawn."""
    return luma(images).expand_as(images)


def edges(images: Tensor, rng: torch.Generator) -> Tensor:
    """Draw outlines: the size of the brightness's gradient by Sobel's filters.

    White where the size is two standard deviations above its mean over the image, black where there
    is none; or the other way round, dark lines on white, with equal probability.
    """
    import torch

    across = torch.tensor(_SOBEL).to(images, non_blocking=True)
    kernels = torch.stack([across, across.mT])[:, None]  # [2, 1, 3, 3]
    slopes = filtered(luma(images), kernels.expand(len(images), -1, -1, -1, -1))
    lines = slopes.square().sum(dim=1, keepdim=True).sqrt()  # [B, 1, H, W]
    over = (1, 2, 3)
    full = lines.mean(dim=over, keepdim=True) + 2 * lines.std(dim=over, keepdim=True)
    lines = (lines / (full + _EPSILON)).clamp(max=1)
    drawn = torch.rand(len(images), 1, 1, 1, generator=rng)
    is_dark = drawn.to(images.device, non_blocking=True) < 0.5
    return torch.where(is_dark, 1 - lines, lines).expand_as(images)


def blur(images: Tensor, rng: torch.Generator) -> Tensor:
    """Blur each image with a Gaussian whose width is 1 to 3 % of the shorter side.

    Every width between is equally likely.
    """
    import torch

    shares = 0.01 + 0.02 * torch.rand(len(images), generator=rng)
    return blurred(images, shares * min(images.shape[-2:]))


def posterise(images: Tensor, rng: torch.Generator) -> Tensor:
    """Leave 2 to 5 levels of each colour, evenly spread from 0 to 1; their number is drawn."""
    import torch

    drawn = torch.randint(2, 6, (len(images), 1, 1, 1), generator=rng)
    levels = drawn.to(images, non_blocking=True)
    return (images * levels).floor().minimum(levels - 1) / (levels - 1)


def pose(images: Tensor, rng: torch.Generator) -> Tensor:
    """Rotate each image by up to 30 degrees either way and shrink it to 60 to 100 %.

    Around the centre, by bilinear interpolation; what comes in from outside is the image reflected
    at its border. Every angle and every size between are equally likely.
    """
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    angles = (2 * torch.rand(len(images), generator=rng) - 1) * _STEEPEST
    zooms = 1 / (_SMALLEST + (1 - _SMALLEST) * torch.rand(len(images), generator=rng))
    height, width = images.shape[-2:]
    across, down = torch.cos(angles) * zooms, torch.sin(angles) * zooms
    rows = (  # the grid runs from -1 to 1 on both sides, however long they are
        torch.stack([across, -down * (height / width), torch.zeros_like(across)], dim=1),
        torch.stack([down * (width / height), across, torch.zeros_like(across)], dim=1),
    )
    exact = images.float()
    turns = torch.stack(rows, dim=1).to(exact, non_blocking=True)  # [B, 2, 3]
    grid = affine_grid(turns, list(images.shape), align_corners=False)
    turned = grid_sample(exact, grid, padding_mode="reflection", align_corners=False)
    return turned.clamp(0, 1).to(images)


def mix(images: Tensor, rng: torch.Generator) -> Tensor:
    """Mix each image with another one of those that drew this style, at a share up to a half.

    (1 - s) * image + s * other, s equally likely between 0 and 0.5: the images of mixup (Zhang et
    al. 2018) with another distribution, and without its labels. Others run along one random cycle;
    an image alone stays as it is.
    """
    import torch

    order = torch.randperm(len(images), generator=rng)
    others = order.roll(1)[order.argsort()].to(images.device, non_blocking=True)
    shares = 0.5 * torch.rand(len(images), 1, 1, 1, generator=rng).to(images, non_blocking=True)
    return torch.lerp(images, images[others], shares)


def original(images: Tensor, rng: torch.Generator) -> Tensor:
    """Leave the images as they are; nothing is drawn."""
    return images


Style = Callable[["Tensor", "torch.Generator"], "Tensor"]

STYLES: Mapping[str, Style] = {
    style.__name__: style
    for style in (
        *(convolution, colours, greyscale, edges, blur, posterise),
        *(pose, mix, original),
    )
}
