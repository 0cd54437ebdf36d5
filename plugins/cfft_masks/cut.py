"""Masks that cut a class activation map, at a threshold or at a share of the patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.mask("object")
class ObjectMask:
    """Hide patches that the prediction rests on: those that score highest.

    With a threshold, as in section 3.2 of the paper: score > threshold; the number of hidden
    patches differs between images. Default thresholds by fill are those of the paper's examples.
    With a share instead: the round(share * P) of P patches with the highest scores, in every image
    (halves to the even number, Python's `round`); of equal scores, those that come first by rows.
    Scores are the map of the true label, divided by each image's maximum. Nothing is drawn.
    """

    constant: ClassVar[bool] = True

    share: float | None = cfft.param(
        None, help="share of patches to hide, highest scores first", ge=0, le=1
    )
    threshold: float | None = cfft.param(
        0.3,
        help="score above which a patch is hidden",
        ge=0,
        le=1,
        given={"share": {...: None}, "fill": {"none": 0.3, "single": 0.3, "multi": 0.6}},
    )

    def __attrs_post_init__(self) -> None:
        _check_cut(self.share, self.threshold)

    def hidden_per_image(self, patches: int) -> int | None:
        """Return round(share * patches), None where a threshold decides."""
        return None if self.share is None else round(self.share * patches)

    def select(self, batch: cfft.Batch, view: cfft.StudentView) -> cfft.MaskSelection:
        """Return `hidden` [B, gh, gw], with the scores."""
        scores = view.scores()
        if self.threshold is not None:
            return cfft.MaskSelection(scores > self.threshold, scores)
        count = self.hidden_per_image(scores[0].numel()) or 0
        return cfft.MaskSelection(_ranks(scores) < count, scores, count)


@cfft.mask("context")
class ContextMask:
    """Hide patches that the prediction does not rest on: those that score lowest.

    With a threshold: not (score > threshold), the complement of `object` with that threshold; the
    number of hidden patches differs between images. Default thresholds by fill are those of the
    paper's examples. With a share instead: the round(share * P) of P patches with the lowest
    scores; of equal scores, those that come last by rows, so that `object` with share Q and
    `context` with 1 - Q hide complements wherever Q * P is whole. Scores are those of `object`.
    """

    constant: ClassVar[bool] = True

    share: float | None = cfft.param(
        None, help="share of patches to hide, lowest scores first", ge=0, le=1
    )
    threshold: float | None = cfft.param(
        0.5,
        help="score up to which a patch is hidden",
        ge=0,
        le=1,
        given={"share": {...: None}, "fill": {"none": 0.6, "single": 0.5, "multi": 0.3}},
    )

    def __attrs_post_init__(self) -> None:
        _check_cut(self.share, self.threshold)

    def hidden_per_image(self, patches: int) -> int | None:
        """Return round(share * patches), None where a threshold decides."""
        return None if self.share is None else round(self.share * patches)

    def select(self, batch: cfft.Batch, view: cfft.StudentView) -> cfft.MaskSelection:
        """Return `hidden` [B, gh, gw], with the scores."""
        scores = view.scores()
        if self.threshold is not None:
            return cfft.MaskSelection(~(scores > self.threshold), scores)
        patches = scores[0].numel()
        count = self.hidden_per_image(patches) or 0
        return cfft.MaskSelection(_ranks(scores) >= patches - count, scores, count)


def _check_cut(share: float | None, threshold: float | None) -> None:
    """Raise ValueError unless exactly one of both says where the map is cut."""
    if share is not None and threshold is not None:
        raise ValueError(
            f"share {share:g} and threshold {threshold:g} exclude each other: give one of them, "
            "and none for the other where a recipe or a file gives it"
        )
    if share is None and threshold is None:
        raise ValueError("share and threshold are both none: give one of them")


def _ranks(scores: Tensor) -> Tensor:
    """Return places [B, gh, gw] from the highest score, 0, to the lowest; ties by rows."""
    order = scores.flatten(1).argsort(dim=1, descending=True, stable=True)  # [B, P]
    return order.argsort(dim=1).view_as(scores)
