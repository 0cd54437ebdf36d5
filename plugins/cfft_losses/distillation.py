"""Losses that compare logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.loss("logit-kl")
class LogitKl(cfft.AuxLoss):
    """Keep class probabilities close to a teacher's, on one view.

    KL of the teacher's tempered probabilities to the student's, times the squared temperature,
    summed over classes and averaged over the batch. Gradients flow into the student alone.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"student.view", "teacher.view"})

    view: str = cfft.param(
        "original",
        help="label of the view to compare on; original: the images as they are",
        rare=True,
    )
    temperature: float = cfft.param(10.0, help="divisor of the logits of both", gt=0)
    weight: float = cfft.param(1.0, help="factor in the objective", ge=0)
    teacher: str = cfft.param("clip", help="label of the teacher to follow", rare=True)

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted divergence []."""
        return _tempered_kl(outputs, self.teacher, self.view, self.temperature)


@cfft.loss("wise-kd")
class WiseKd(cfft.AuxLoss):
    """Distil the weight average of the zero-shot and the fine-tuned model.

    KL_T(g(f(x)), g_e(f_e(x))) of the paper's equation 3, on original images, with the paper's
    gamma = 1 and T = 10: T^2 * KL, `batchmean`. Gradients flow into the student alone.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"teacher.original"})

    temperature: float = cfft.param(10.0, help="divisor of the logits of both (T)", gt=0)
    weight: float = cfft.param(1.0, help="factor in the objective (gamma)", ge=0)
    teacher: str = cfft.param("wise", help="label of the teacher to follow", rare=True)

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted divergence []."""
        return _tempered_kl(outputs, self.teacher, "original", self.temperature)


def _tempered_kl(outputs: cfft.StepOutputs, teacher: str, view: str, temperature: float) -> Tensor:
    from torch.nn.functional import kl_div, log_softmax

    student_logits = outputs.student(view).logits  # [B, K]
    teacher_logits = outputs.teacher(teacher, view).logits
    divergence = kl_div(
        log_softmax(student_logits / temperature, dim=-1),
        log_softmax(teacher_logits / temperature, dim=-1),
        reduction="batchmean",
        log_target=True,
    )
    return temperature**2 * divergence
