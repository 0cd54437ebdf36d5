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
        Kind("mask", "cfft_masks", "select", "which patches to hide"),
        Kind("fill", "cfft_fills", "refill", "what replaces hidden patches"),
        Kind("cam", "cfft_cams", "explain", "how patches are scored"),
        Kind("teacher", "cfft_teachers", "load", "frozen model that the student follows"),
        Kind("loss", "cfft_losses", "measure", "auxiliary loss"),
        Kind("backbone", "cfft_backbones", "build", "library that builds the model"),
        Kind("suite", "cfft_suites", "open", "images to train and test on"),
    )
}
