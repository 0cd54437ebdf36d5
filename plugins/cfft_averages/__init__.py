"""Built-in averages of weights over steps: ema, swa and beta."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_averages.schedules import BetaAverage, EmaAverage, SwaAverage


@cfft.hookimpl
def cfft_averages() -> Sequence[type[Any]]:
    """Return the averages that come with cfft."""
    return [EmaAverage, SwaAverage, BetaAverage]
