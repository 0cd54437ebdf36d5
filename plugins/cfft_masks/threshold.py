"""Masks that cut the student's class activation map at a threshold."""

from __future__ import annotations

import cfft


@cfft.mask("object")
class ObjectMask:
    """Hide patches that the prediction rests on: those that score above a threshold.

    Section 3.2 of the paper; scores are the student's map of the true label, divided by each
    image's maximum. Default thresholds by fill are those of the paper's examples. The
    number of hidden patches differs between images.
    """

    threshold: float = cfft.param(
        0.3,
        help="score above which a patch is hidden",
        ge=0,
        le=1,
        given={"fill": {"none": 0.3, "single": 0.3, "multi": 0.6}},
    )

    def select(self, batch: cfft.Batch, view: cfft.StudentView) -> cfft.MaskSelection:
        """Return `hidden` [B, gh, gw] = score > threshold, with the scores."""
        return _above(view, self.threshold)


@cfft.mask("context")
class ContextMask:
    """Hide patches that the prediction does not rest on: complement of `object`.

    Default thresholds by fill are those of the paper's examples. The number of hidden patches
    differs between images.
    """

    threshold: float = cfft.param(
        0.5,
        help="score up to which a patch is hidden",
        ge=0,
        le=1,
        given={"fill": {"none": 0.6, "single": 0.5, "multi": 0.3}},
    )

    def select(self, batch: cfft.Batch, view: cfft.StudentView) -> cfft.MaskSelection:
        """Return `hidden` [B, gh, gw] = not (score > threshold), with the scores."""
        salient = _above(view, self.threshold)
        return cfft.MaskSelection(~salient.hidden, salient.scores)


def _above(view: cfft.StudentView, threshold: float) -> cfft.MaskSelection:
    scores = view.scores()
    return cfft.MaskSelection(scores > threshold, scores)
