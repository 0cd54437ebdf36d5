"""The Grad-CAM map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.cam("gradcam")
class GradCam:
    """Weight the last block's input by the gradient of the true label's logit.

    Selvaraju et al. 2017, on the output of the last block's first norm. `of`: the student as it
    stands at this step, or a frozen teacher, which costs one more forward pass a step.
    """

    of: Literal["student", "teacher"] = cfft.param("student", help="model whose map it is")
    teacher: str = cfft.param("clip", help="the teacher whose map it is", rare=True)

    @property
    def follows(self) -> str | None:
        """The teacher's label, None where the map is the student's."""
        return self.teacher if self.of == "teacher" else None

    @property
    def constant(self) -> bool:
        """Tell whether the map is a teacher's."""
        return self.of == "teacher"

    def explain(self, batch: cfft.Batch, view: cfft.StudentView) -> Tensor:
        """Return scores [B, gh, gw]."""
        seen = view if self.follows is None else view.teacher(self.follows)
        return cfft.grad_cam_scores(seen.capture, seen.clean.logits, batch.labels)
