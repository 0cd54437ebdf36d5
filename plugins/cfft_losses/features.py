"""Losses that compare features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.loss("feature-mse")
class FeatureMse(cfft.AuxLoss):
    """Keep features of counterfactual images close to the pre-trained model's.

    MSE(f_hat(x_cf), f(x_cf)) of the paper's equation 2: the mean over batch and features of the
    squared difference of un-normalised features. `scale = "relative"` divides it by the teacher's
    feature variance on the training set: with it a weight of 6 is about the paper's 30 at the scale
    of CLIP's features. Gradients flow into the student alone.
    """

    scale: Literal["raw", "relative"] = cfft.param(
        "relative",
        help="raw, as in the paper, or divided by the teacher's feature variance (on up to 2048 "
        "training images)",
        given={"backbone": {"open_clip": "raw"}},
    )
    weight: float = cfft.param(
        6.0, help="factor in the objective (beta)", ge=0, given={"scale": {"raw": 30.0}}
    )
    teacher: str = cfft.param("clip", help="label of the teacher to follow", rare=True)
    view: str = cfft.param(
        "counterfactual",
        help="label of the view to compare on; original: the images as they are",
        rare=True,
    )

    @property
    def needs(self) -> frozenset[str]:
        """Name the passes that this loss looks at."""
        passes = frozenset({"student.view", "teacher.view"})
        return passes | ({"teacher.feature_variance"} if self.scale == "relative" else frozenset())

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted error []."""
        from torch.nn.functional import mse_loss

        student = outputs.student(self.view).features
        error = mse_loss(student, outputs.teacher(self.teacher, self.view).features)
        if self.scale == "raw":
            return error
        return error / outputs.feature_variance(self.teacher)


@cfft.loss("feature-cosine")
class FeatureCosine(cfft.AuxLoss):
    """Keep the direction of features close to a teacher's, on one view.

    1 - cos(f_teacher(x), f(x)), averaged over the batch: half the squared distance of features at
    L2 norm 1, which is all that a zero-shot head sees. Twice it is the image part of feature
    distillation in TRACER (Asadollahzadeh et al. 2026, Eq. 20) and, on unit features, in CLIP-KD
    (Yang et al. 2024). Gradients flow into the student alone.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"student.view", "teacher.view"})

    weight: float = cfft.param(1.0, help="factor in the objective", ge=0)
    teacher: str = cfft.param("clip", help="label of the teacher to follow", rare=True)
    view: str = cfft.param(
        "counterfactual",
        help="label of the view to compare on; original: the images as they are",
        rare=True,
    )

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted distance []."""
        from torch.nn.functional import cosine_similarity

        student = outputs.student(self.view).features  # [B, D]
        teacher = outputs.teacher(self.teacher, self.view).features
        return 1 - cosine_similarity(student.float(), teacher.float(), dim=-1).mean()
