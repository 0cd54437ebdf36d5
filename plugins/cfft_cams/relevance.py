"""The relevance map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.cam("relevance")
class Relevance:
    """Trace the true label's logit back to the patches through attention.

    Chefer et al. 2021, and the map of both the paper and its reference program with
    `start_layer` 0. All layers together are artefact-prone on ViT-B/16. `of`: the student as it
    stands at this step, as in the paper, or a frozen teacher, whose map of an image stays the same
    over training and costs one more forward pass a step.
    """

    of: Literal["student", "teacher"] = cfft.param("student", help="model whose map it is")
    teacher: str = cfft.param("clip", help="the teacher whose map it is", rare=True)
    start_layer: int = cfft.param(
        0, help="lowest layer that counts; the first is 0", ge=0, rare=True
    )

    @property
    def follows(self) -> str | None:
        """The teacher's label, None where the map is the student's."""
        return self.teacher if self.of == "teacher" else None

    @property
    def constant(self) -> bool:
        """Tell whether the map is a teacher's."""
        return self.of == "teacher"

    def explain(self, batch: cfft.Batch, view: cfft.StudentView) -> Tensor:
        """Return scores [B, gh, gw]; raises ConfigError for a layer the model lacks."""
        seen = view if self.follows is None else view.teacher(self.follows)
        return cfft.relevance_scores(
            seen.capture, seen.clean.logits, batch.labels, start_layer=self.start_layer
        )
