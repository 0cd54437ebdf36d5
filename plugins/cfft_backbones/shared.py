"""Facts about models as text, encoders, and weight files: shared by both backbones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cfft

if TYPE_CHECKING:
    from torch import nn

_SUFFIXES = frozenset({".safetensors", ".pt", ".pth", ".bin"})


def sizes(pair: tuple[int, int]) -> str:
    """Write (H, W) as HxW."""
    return "x".join(map(str, pair))


def pair(value: Any) -> tuple[int, int]:
    """Return (H, W) of a size that is one number or two."""
    height, width = value if isinstance(value, (tuple, list)) else (value, value)
    return int(height), int(width)


def numbers(values: Sequence[float]) -> str:
    """Write numbers with the six digits that matter."""
    return ", ".join(f"{value:.6g}" for value in values)


def three(values: Sequence[float]) -> tuple[float, float, float]:
    """Return one number per colour; raises ValueError for any other count."""
    red, green, blue = values
    return float(red), float(green), float(blue)


def make_encoder(tower: nn.Module, prepared: cfft.Preprocessing, label: str) -> cfft.Encoder:
    """Return the encoder; raises WeightsError naming `label` where cfft cannot run the tower."""
    try:
        return cfft.Encoder(tower, prepared)
    except cfft.WeightsError as error:
        raise cfft.WeightsError(f"model '{label}': {error}") from error


def looks_like_path(weights: str) -> bool:
    """Tell whether `weights` is meant as `FILE` or `FILE:NEST`, even if there is none."""
    names = (weights, weights.rpartition(":")[0])
    return os.sep in weights or any(
        os.path.isfile(name) or Path(name).suffix in _SUFFIXES for name in names
    )
