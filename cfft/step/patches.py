"""From the patch grid to pixels: enlarge a grid, fill hidden patches from other images."""

from __future__ import annotations

import torch
from torch import Tensor


def paste_patches(images: Tensor, hidden: Tensor, donors: Tensor) -> Tensor:
    """Fill hidden patches with the same place of each one's donor image.

    `images`: [B, C, H, W]. `hidden`: [B, gh, gw], bool. `donors`: [B] int64, one donor for an
    image, or [B, gh, gw], one for each patch: indices into the batch, read where `hidden` is
    True. Returns new images [B, C, H, W]. A patch covers H/gh x W/gw pixels (the grid enlarged by
    nearest neighbour). Raises ValueError where the grid does not divide the images.
    """
    per_patch = donors if donors.ndim == 3 else donors[:, None, None]  # [B, gh or 1, gw or 1]
    own = torch.arange(len(images), device=images.device)[:, None, None]
    source = torch.where(hidden, per_patch, own)  # [B, gh, gw]
    patches = _by_patch(images, hidden.shape[1], hidden.shape[2])
    index = source[:, None, :, None, :, None].expand_as(patches)
    return patches.gather(0, index).reshape(images.shape)


def enlarged(patches: Tensor, size: tuple[int, int]) -> Tensor:
    """Repeat [B, gh, gw] over the pixels of each patch: [B, H, W], `size` being (H, W)."""
    height, width = (pixels // n for pixels, n in zip(size, patches.shape[1:], strict=True))
    return patches.repeat_interleave(height, dim=1).repeat_interleave(width, dim=2)


def _by_patch(images: Tensor, gh: int, gw: int) -> Tensor:
    height, width = images.shape[-2:]
    if height % gh or width % gw:
        raise ValueError(
            f"images of {height} x {width} pixels do not divide into {gh} x {gw} patches"
        )
    shape = (*images.shape[:2], gh, height // gh, gw, width // gw)
    return images.reshape(shape)  # [B, C, gh, ph, gw, pw]
