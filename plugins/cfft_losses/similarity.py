"""The divergence of distributions over similarities."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return KL(teacher || student) of the softmax of logits [B, n], averaged over the batch."""
    from torch.nn.functional import kl_div, log_softmax

    of_student, of_teacher = (log_softmax(each, dim=-1) for each in (student, teacher))
    return kl_div(of_student, of_teacher, reduction="batchmean", log_target=True)


def unit(features: Tensor) -> Tensor:
    """Bring feature vectors to length 1."""
    from torch.nn.functional import normalize

    return normalize(features, dim=-1)
