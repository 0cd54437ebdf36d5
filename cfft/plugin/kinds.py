"""The kinds of strategy: the hook that collects each and the one method it must have."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class Kind:
    """Describe a kind of strategy: the hook that collects it and the one method it must have."""

    name: str
    hook: str
    method: str
    purpose: str


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("mask", "cfft_masks", "select", "choose the patches to hide"),
        Kind("fill", "cfft_fills", "refill", "put something in their place"),
        Kind("cam", "cfft_cams", "explain", "score patches by their part in the prediction"),
        Kind("teacher", "cfft_teachers", "load", "give the frozen model that the student follows"),
        Kind("loss", "cfft_losses", "measure", "measure one auxiliary term of the objective"),
        Kind("backbone", "cfft_backbones", "build", "build a pre-trained encoder"),
        Kind("suite", "cfft_suites", "open", "give training, validation, test and OOD images"),
    )
}
