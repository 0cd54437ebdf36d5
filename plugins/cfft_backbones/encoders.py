"""Make encoders whose refusals name the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cfft

if TYPE_CHECKING:
    from torch import nn


def make_encoder(tower: nn.Module, prepared: cfft.Preprocessing, label: str) -> cfft.Encoder:
    """Return the encoder; raises WeightsError naming `label` where cfft cannot run the tower."""
    try:
        return cfft.Encoder(tower, prepared)
    except cfft.WeightsError as error:
        raise cfft.WeightsError(f"model '{label}': {error}") from error
