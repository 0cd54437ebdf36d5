"""Cosine similarities of features, exact whatever the precision of training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def similarities(ours: Tensor, others: Tensor, scale: Tensor | float = 1.0) -> Tensor:
    """Return cosine similarities times `scale`: [B, n] of features [B, D] and [n, D].

    `scale`: [] or a number, such as CLIP's factor. In float32 or better, autocast or not: factors
    up to 100 make the rounding of half precision visible. Gradients flow into all three.
    """
    exact = torch.promote_types(ours.dtype, torch.float32)
    with torch.autocast(ours.device.type, enabled=False):
        ours, others = (F.normalize(each.to(exact), dim=-1) for each in (ours, others))
        factor = scale.to(exact) if isinstance(scale, Tensor) else scale
        return factor * (ours @ others.T)
