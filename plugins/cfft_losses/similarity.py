"""Similarities of images with texts, and the divergence of their distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def similarities(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Return scaled cosine similarities [B, n] of features [B, D] and [n, D]."""
    found = cosines(images, texts)
    return scale.to(found.dtype) * found


def cosines(ours: Tensor, others: Tensor) -> Tensor:
    """Return cosine similarities [B, n] of features [B, D] and [n, D], autocast or not.

    In float32 or better: factors up to 100 make the rounding of half precision visible.
    """
    import torch

    exact = torch.promote_types(ours.dtype, torch.float32)
    with torch.autocast(ours.device.type, enabled=False):
        return unit(ours.to(exact)) @ unit(others.to(exact)).T


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return KL(teacher || student) of the softmax of logits [B, n], averaged over the batch."""
    from torch.nn.functional import kl_div, log_softmax

    of_student, of_teacher = (log_softmax(each, dim=-1) for each in (student, teacher))
    return kl_div(of_student, of_teacher, reduction="batchmean", log_target=True)


def unit(features: Tensor) -> Tensor:
    """Bring feature vectors to length 1."""
    from torch.nn.functional import normalize

    return normalize(features, dim=-1)
