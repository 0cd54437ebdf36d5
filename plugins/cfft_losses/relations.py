"""Losses that compare similarities within a batch of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cfft
from cfft_losses.similarity import divergence

if TYPE_CHECKING:
    from torch import Tensor


@cfft.loss("relational")
class Relational(cfft.AuxLoss):
    """Keep similarities of images within the batch close to a teacher's, on one view.

    With h the features [B, D] at L2 norm 1 and p_i the softmax over all j but i of
    <h_i, h_j> / tau, the mean over the batch of KL(p_i of the teacher || p_i of the student).

    Contrastive relational distillation (CRD) as in TRACER (Asadollahzadeh et al. 2026, Eq. 21 to
    23) and CLIP-KD (Yang et al. 2024), with the other images of the batch in the place of
    captions, so that no text tower is needed; with captions it is the loss similarity-kd. Relations
    among images alone are those of similarity-preserving distillation (Tung and Mori 2019), there
    with a squared difference. A temperature of 0.1 is taken. A batch is the micro-batches that all
    processes compute at the same time; with one or two images the loss is 0. Gradients flow into
    the student alone.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"student.view", "teacher.view"})

    temperature: float = cfft.param(0.1, help="divisor of cosine similarities (tau)", gt=0)
    view: str = cfft.param(
        "original", help="label of the view to compare on; original: the images as they are"
    )
    weight: float = cfft.param(1.0, help="factor in the objective", ge=0)
    teacher: str = cfft.param("clip", help="label of the teacher to follow")

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted divergence []."""
        student = outputs.joined(outputs.student(self.view).features)
        teacher = outputs.joined(outputs.teacher(self.teacher, self.view).features)
        return divergence(self._relations(student), self._relations(teacher))

    def _relations(self, features: Tensor) -> Tensor:
        """Return the logits of each image's similarities to the others: [B, B - 1]."""
        import torch

        size = len(features)
        places = torch.arange(size - 1, device=features.device).expand(size, -1)  # [B, B - 1]
        own = torch.arange(size, device=features.device)[:, None]
        others = places + (places >= own)  # all places but an image's own
        return cfft.similarities(features, features).gather(1, others) / self.temperature
