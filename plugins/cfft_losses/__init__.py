"""Built-in auxiliary losses of cfft: feature-mse, logit-kl and wise-kd."""

from __future__ import annotations

from cfft import hookimpl
from cfft_losses.distillation import LogitKl, WiseKd
from cfft_losses.features import FeatureMse


@hookimpl
def cfft_losses() -> list[type]:
    """Return the losses of the paper's equations 2 and 3, and a general distillation."""
    return [FeatureMse, LogitKl, WiseKd]
