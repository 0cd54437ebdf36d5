"""The task of the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.task("cross-entropy")
class CrossEntropy(cfft.Task):
    """Learn the labels of the original images through the head.

    CE(g(f(x)), y) of the paper's equation 2, averaged over the batch; no label smoothing there.
    With `class_weights = "balanced"` the cross-entropy of an image of class y is multiplied by
    w_y = N / (K n_y) for N training images, n_y of them of class y, of K classes (scikit-learn's
    "balanced"), before the mean over the batch, so that every class counts as much and the weights
    are 1 on average over the training images. Unlike torch's `weight`, the mean is not divided by
    the weights of the batch: a step is the same however it is cut into micro-batches.
    """

    term: ClassVar[str] = "ce"

    label_smoothing: float = cfft.param(
        0.0, help="share of probability spread over all classes", ge=0, lt=1, rare=True
    )
    class_weights: Literal["none", "balanced"] = cfft.param(
        "none",
        help="balanced: images of small classes count more, so that all classes count alike",
        rare=True,
    )

    @property
    def needs(self) -> frozenset[str]:
        """The weights of the classes, where they are balanced."""
        return frozenset({"class.weights"} if self.class_weights == "balanced" else ())

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the mean cross-entropy []."""
        from torch.nn.functional import cross_entropy

        logits, labels = outputs.student_original.logits, outputs.batch.labels
        if self.class_weights == "none":
            return cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        each = cross_entropy(
            logits, labels, label_smoothing=self.label_smoothing, reduction="none"
        )  # [B]
        return (outputs.balanced_weights()[labels].to(each.dtype) * each).mean()
