"""A student's view with scores that a test writes down by hand."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from cfft.encoder.encoder import Capture
from cfft.records import Encoded
from cfft.step.interfaces import Cam


@attrs.frozen(eq=False)
class FixedView:
    """Offer a mask the given scores [B, gh, gw], whichever map it asks for.

    No student stands behind it: `capture` and `clean` raise ValueError. Every reading of `rng`
    gives the same fresh generator of `seed`.
    """

    fixed: Tensor
    seed: int = 0

    @property
    def grid(self) -> tuple[int, int]:
        """Patches per column and per row: (gh, gw)."""
        return self.fixed.shape[1], self.fixed.shape[2]

    @property
    def rng(self) -> torch.Generator:
        """CPU generator, seeded anew each time."""
        return torch.Generator().manual_seed(self.seed)

    @property
    def capture(self) -> Capture:
        """Raise ValueError: there was no pass."""
        raise ValueError("a FixedView has no capture: make a CleanPass of a tiny_classifier()")

    @property
    def clean(self) -> Encoded:
        """Raise ValueError: there was no pass."""
        raise ValueError("a FixedView has no outputs: make a CleanPass of a tiny_classifier()")

    def scores(self, cam: Cam | None = None) -> Tensor:
        """Return the scores as they were given."""
        return self.fixed
