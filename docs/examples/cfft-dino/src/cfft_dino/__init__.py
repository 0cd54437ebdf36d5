"""Self-distillation for cfft as in DINO: a loss, and the teacher that it follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.loss("dino")
class DinoLoss(cfft.AuxLoss):
    """Predict the teacher's view of the whole image from the changed one.

    Caron et al. 2021 (section 3.1): the cross-entropy of two distributions over the features, the
    student's on a view against the teacher's on the original. The teacher's are centred and
    sharpened, against collapse. Features are L2-normalised in place of DINO's projection head, and
    the centre is the batch's mean, where DINO keeps a running one: nothing is kept between steps.
    """

    needs = frozenset({"student.view", "teacher.original"})
    student_temperature: float = cfft.param(default=0.1, help="of the student's softmax", gt=0)
    teacher_temperature: float = cfft.param(default=0.04, help="of the teacher's softmax", gt=0)
    weight: float = cfft.param(default=1.0, help="factor in the objective", ge=0)
    teacher: str = cfft.param(default="dino", help="label of the teacher to follow")
    view: str = cfft.param(default="counterfactual", help="label of the view the student sees")

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the mean over the batch, a scalar; no gradient flows into the teacher."""
        from torch.nn.functional import normalize

        student = normalize(outputs.student(self.view).features, dim=-1)  # [B, D]
        teacher = normalize(outputs.teacher(self.teacher, "original").features, dim=-1)
        centred = (teacher - teacher.mean(dim=0)) / self.teacher_temperature
        predicted = (student / self.student_temperature).log_softmax(dim=-1)
        return -(centred.softmax(dim=-1).detach() * predicted).sum(dim=-1).mean()


@cfft.teacher("dino")
class DinoTeacher(cfft.Teacher):
    """Follow the average of the student's own weights.

    With --average ema it is DINO's momentum teacher. It starts as the pre-trained model.
    """

    follows_average = True

    def load(self, source: cfft.ModelSource) -> cfft.Classifier:
        """Return what the average starts as."""
        return source.pretrained()


@cfft.hookimpl
def cfft_losses() -> list[type]:
    """Return the losses of this package."""
    return [DinoLoss]


@cfft.hookimpl
def cfft_teachers() -> list[type]:
    """Return the teachers of this package."""
    return [DinoTeacher]
