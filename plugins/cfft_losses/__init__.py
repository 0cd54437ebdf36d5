"""Built-in auxiliary losses: feature-mse, logit-kl and wise-kd."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_losses.distillation import LogitKl, WiseKd
from cfft_losses.features import FeatureMse


@cfft.hookimpl
def cfft_losses() -> Sequence[type[Any]]:
    """Return the losses that come with cfft."""
    return [FeatureMse, LogitKl, WiseKd]
