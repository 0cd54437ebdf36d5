"""What a run tells whoever watches it, and the plan that it shows before it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import attrs

Advance = Callable[[int], None]
"""A function that is called with the number of units done so far."""


def ignore(done: int) -> None:
    """Hear of progress that nobody watches."""


@attrs.frozen
class Plan:
    """Say what a run is going to do, before anything expensive happens.

    `facts`: lines for people, as (group, name, value), in order. `warnings`: what looks like a
    mistake without being one. `data`: the same as plain values for `--json`.
    """

    facts: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    data: Mapping[str, Any]


class Reporter(Protocol):
    """Watch a run. Every method returns at once; none may change the run."""

    def planned(self, plan: Plan) -> None:
        """Hear the plan, before training."""

    def task(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Show a task of `total` units (images, steps) while a block runs; tasks do not nest.

        The block gets a function that it calls with the number of units done so far.
        """

    def stepped(self, step: int, metrics: Mapping[str, float]) -> None:
        """Hear of optimiser step `step`, counted from 1: losses, lr, images_per_second."""

    def epoch_ended(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Hear of the end of epoch `epoch`, counted from 1."""

    def warned(self, message: str) -> None:
        """Hear of something unusual that does not stop the run."""


class Silent:
    """Watch a run and say nothing."""

    def planned(self, plan: Plan) -> None: ...

    def task(self, name: str, total: int) -> AbstractContextManager[Advance]:
        return nullcontext(ignore)

    def stepped(self, step: int, metrics: Mapping[str, float]) -> None: ...

    def epoch_ended(self, epoch: int, metrics: Mapping[str, float]) -> None: ...

    def warned(self, message: str) -> None: ...
