"""The kinds of strategy: the hook that collects each and the one method it must have."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class Kind:
    """Describe a kind of strategy: the hook that collects it and the one method it must have.

    `call`: how cfft calls that method, such as `select(batch, view)`. `several`: a run may use
    more than one, by label, or none. `optional`: a run may do without. `configured`: a run's
    configuration chooses among its strategies.
    """

    name: str
    hook: str
    call: str
    purpose: str
    several: bool = False
    optional: bool = False
    configured: bool = True

    @property
    def method(self) -> str:
        """Name the method."""
        return self.call.partition("(")[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Name what the method is called with, by place."""
        return tuple(self.call.partition("(")[2].removesuffix(")").split(", "))


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("mask", "cfft_masks", "select(batch, view)", "which patches to hide"),
        Kind("fill", "cfft_fills", "refill(batch, selection, rng)", "what replaces hidden patches"),
        Kind("cam", "cfft_cams", "explain(batch, view)", "how patches are scored"),
        Kind(
            "teacher",
            "cfft_teachers",
            "load(source)",
            "model that the student follows",
            several=True,
        ),
        Kind("task", "cfft_tasks", "measure(outputs)", "what is learnt from the labels"),
        Kind("loss", "cfft_losses", "measure(outputs)", "auxiliary loss", several=True),
        Kind(
            "adaptation",
            "cfft_adaptations",
            "attach(model, rng)",
            "which weights are trained, and how",
        ),
        Kind(
            "average",
            "cfft_averages",
            "weigh(step, steps)",
            "average of weights over steps",
            optional=True,
        ),
        Kind(
            "merge",
            "cfft_merges",
            "merge(start, tuned, score)",
            "merging of weights at the end",
            optional=True,
        ),
        Kind("backbone", "cfft_backbones", "build(name, weights)", "library that builds the model"),
        Kind("suite", "cfft_suites", "open(seed)", "images to train and test on"),
        Kind(
            "exporter",
            "cfft_exporters",
            "export(model, folder)",
            "format that a model is written in for other programs",
            configured=False,
        ),
    )
}
CONFIGURED = tuple(kind.name for kind in KINDS.values() if kind.configured)
"""The kinds that the configuration of a run is made of."""

SEVERAL = tuple(kind.name for kind in KINDS.values() if kind.several)
"""The kinds of which a run may use several strategies."""

OPTIONAL = tuple(kind.name for kind in KINDS.values() if kind.optional)
"""The kinds of which a run may use no strategy, which is called `none`."""
