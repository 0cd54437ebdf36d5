"""Losses that compare weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.loss("l2-sp")
class L2Sp(cfft.AuxLoss):
    """Keep the weights close to a teacher's, by half their squared distance (L2-SP).

    1/2 * sum of (w - w0)^2 over the parameters of the image encoder: the first part of Eq. 2 of Li
    et al. 2018 (Explicit Inductive Bias for Transfer Learning with Convolutional Networks), whose
    second part, for a new head, is weight decay. `head` compares the head as well. The paper
    chooses the factor on validation; 0.01 is among its values. It takes the place of weight decay,
    so set --weight-decay 0.

    With adapters the weights that they make are compared. Gradients flow into the student alone;
    no image is looked at.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"student.weights", "teacher.weights"})

    head: bool = cfft.param(False, help="compare the head as well as the encoder")
    weight: float = cfft.param(0.01, help="factor in the objective (alpha)", ge=0)
    teacher: str = cfft.param("clip", help="label of the teacher to stay close to")

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return half the squared distance []."""
        import torch

        start = outputs.teacher_weights(self.teacher)
        gaps = [
            (value.float() - start[name].float()).square().sum()
            for name, value in outputs.student_weights().items()
            if self.head or not name.startswith("head.")
        ]
        return torch.stack(gaps).sum() / 2
