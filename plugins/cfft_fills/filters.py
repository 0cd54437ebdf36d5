"""Filters of whole images, each image with values of its own: blur and 3 x 3 kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)


def blurred(images: Tensor, widths: Tensor) -> Tensor:
    """Blur images [B, C, H, W] with Gaussians of standard deviations `widths` [B], in pixels.

    At the border the weights of pixels that exist are scaled to add up to 1.
    """
    rows, columns = (_gaussian(widths.to(images, non_blocking=True), n) for n in images.shape[-2:])
    return rows[:, None] @ images @ columns.mT[:, None]


def _gaussian(widths: Tensor, pixels: int) -> Tensor:
    """Return weights of every pixel for every pixel along a side: [B, n, n], rows add up to 1."""
    import torch

    places = torch.arange(pixels, device=widths.device, dtype=widths.dtype)
    apart = places[:, None] - places  # [n, n]
    return (-0.5 * (apart / widths[:, None, None]).square()).softmax(dim=-1)


def filtered(images: Tensor, kernels: Tensor) -> Tensor:
    """Apply a 3 x 3 kernel of its own to every image, the border repeated outwards.

    `images`: [B, C, H, W]. `kernels`: [B, out, C, 3, 3], a cross-correlation as in networks.
    Returns [B, out, H, W].
    """
    from torch.nn import functional

    size, out = kernels.shape[:2]
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    together = padded.reshape(1, -1, *padded.shape[-2:])  # [1, B * C, H + 2, W + 2]
    found = functional.conv2d(together, kernels.flatten(0, 1), groups=size)
    return found.view(size, out, *images.shape[-2:])


def luma(images: Tensor) -> Tensor:
    """Return the brightness of images [B, 3, H, W] as ITU-R BT.601 weighs colours: [B, 1, H, W]."""
    import torch

    weights = torch.tensor(_LUMA)[:, None, None].to(images, non_blocking=True)
    return (images * weights).sum(dim=1, keepdim=True)
