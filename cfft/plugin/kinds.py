"""The kinds of strategy: the hook that collects each and the one method it must have."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class Kind:
    """Describe a kind of strategy: the hook that collects it and the one method it must have.

    `several`: a run may use more than one, by label, or none. `optional`: a run may do without.
    """

    name: str
    hook: str
    method: str
    purpose: str
    several: bool = False
    optional: bool = False


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("mask", "cfft_masks", "select", "which patches to hide"),
        Kind("fill", "cfft_fills", "refill", "what replaces hidden patches"),
        Kind("cam", "cfft_cams", "explain", "how patches are scored"),
        Kind("teacher", "cfft_teachers", "load", "model that the student follows", several=True),
        Kind("task", "cfft_tasks", "measure", "what is learnt from the labels"),
        Kind("loss", "cfft_losses", "measure", "auxiliary loss", several=True),
        Kind("adaptation", "cfft_adaptations", "attach", "which weights are trained, and how"),
        Kind("average", "cfft_averages", "weigh", "average of weights over steps", optional=True),
        Kind("merge", "cfft_merges", "merge", "merging of weights at the end", optional=True),
        Kind("backbone", "cfft_backbones", "build", "library that builds the model"),
        Kind("suite", "cfft_suites", "open", "images to train and test on"),
    )
}
SEVERAL = tuple(kind.name for kind in KINDS.values() if kind.several)
"""The kinds of which a run may use several strategies."""

OPTIONAL = tuple(kind.name for kind in KINDS.values() if kind.optional)
"""The kinds of which a run may use no strategy, which is called `none`."""
