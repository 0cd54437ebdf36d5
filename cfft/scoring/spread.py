"""Mean and standard deviation over runs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

import attrs


@attrs.frozen
class Spread:
    """Hold the mean over `count` runs and their standard deviation (N - 1; None for one run)."""

    mean: float
    std: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise one or more values."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values))
