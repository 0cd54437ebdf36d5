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

    label_smoothing: float = cfft.param(
        0.0, help="share of probability spread over all classes", ge=0, lt=1, rare=True
    )

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the mean cross-entropy []."""
        from torch.nn.functional import cross_entropy

        logits, labels = outputs.student_original.logits, outputs.batch.labels
        return cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
