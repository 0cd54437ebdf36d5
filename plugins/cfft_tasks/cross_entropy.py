"""The task of the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.task("cross-entropy")
class CrossEntropy(cfft.Task):
    """Learn the labels of the original images through the head.

    CE(g(f(x)), y) of the paper's equation 2, averaged over the batch; no label smoothing there.
    """

    term: ClassVar[str] = "ce"

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the mean cross-entropy []."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs.student_original.logits, outputs.batch.labels)
