"""The two losses that CaRot adds to contrastive fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import cfft
from cfft_losses.similarity import divergence

if TYPE_CHECKING:
    from torch import Tensor


@cfft.loss("orthogonality")
class Orthogonality(cfft.AuxLoss):
    """Keep the columns of a projection orthogonal to each other and of length 1.

    |W^T W - I| with the Frobenius norm, as CaRot's program has it (Oh et al. 2024, "Towards
    Calibrated Robust Fine-Tuning of Vision-Language Models", L_OC, weight 0.2): the smallest
    singular value of the features' covariance stays large. With singular values s of W it is
    sqrt(sum (s^2 - 1)^2). W [C, D] is the projection of the image tower of CLIP models. Where
    D > C it cannot reach 0. Nothing is drawn. Gradients flow into W alone. Raises ConfigError where
    the student has no matrix of that name, as with timm's models.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"student.weights"})

    matrix: str = cfft.param(
        "encoder.tower.proj", help="parameter of the student, [C, D] with D <= C"
    )
    weight: float = cfft.param(0.2, help="factor in the objective", ge=0)

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted norm []."""
        import torch

        weights = outputs.student_weights()
        matrices = [name for name, weight in weights.items() if weight.ndim == 2]
        if self.matrix not in matrices:
            raise cfft.ConfigError(
                "loss 'orthogonality': "
                + cfft.unknown_name("matrix", self.matrix, matrices, "of the student")
            )
        projection = weights[self.matrix].float()  # [C, D]
        with torch.autocast(projection.device.type, enabled=False):  # float32 needs no rounding
            covariance = projection.T @ projection  # [D, D]
        unit = torch.eye(len(covariance), device=covariance.device)
        norm: Tensor = torch.linalg.matrix_norm(covariance - unit)
        return norm


@cfft.loss("similarity-kd")
class SimilarityKd(cfft.AuxLoss):
    """Keep the similarities of the batch's images and captions close to a teacher's.

    With s [B, B] the student's scaled cosine similarities of image i and caption j, and s' the
    teacher's by its own image tower, text tower and scale,

        mean_i KL(softmax(s'_i.) || softmax(s_i.)) + mean_j KL(softmax(s'_.j) || softmax(s_.j))

    CaRot's self-distillation (Oh et al. 2024, L_SD, weight 1.5), whose teacher is a moving average
    of the student; its program has the cross-entropy, which differs by a constant. Captions are
    those of the task `contrastive`: class names in templates drawn for each image and step.
    Gradients flow into the student's image tower, text tower and scale. A batch is the
    micro-batches that all processes compute at the same time.
    """

    text: Literal["averaged", "pretrained"] = cfft.param(
        "averaged", help="text tower that belongs to the teacher"
    )
    view: str = cfft.param(
        "original", help="label of the view to compare on; original: the images as they are"
    )
    weight: float = cfft.param(1.5, help="factor in the objective", ge=0)
    teacher: str = cfft.param("average", help="label of the teacher to follow")

    @property
    def needs(self) -> frozenset[str]:
        """Name the passes and text towers that this loss looks at."""
        tower = "average.text" if self.text == "averaged" else "teacher.text"
        return frozenset({"student.view", "teacher.view", "student.text", tower})

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted sum of both directions []."""
        text = outputs.prompts()
        captions = text.captions(outputs.batch.labels)
        other = text.averaged if self.text == "averaged" else text.pretrained
        taught, seen = outputs.teacher(self.teacher, self.view), outputs.student(self.view)
        joined = outputs.joined
        student = cfft.similarities(
            joined(seen.features), joined(text(captions)), text.logit_scale
        )  # [B, B]
        teacher = cfft.similarities(
            joined(taught.features), joined(other(captions)), other.logit_scale
        )
        return divergence(student, teacher) + divergence(student.T, teacher.T)
