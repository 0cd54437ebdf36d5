"""Average the weights of models that share an architecture."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cfft.encoder.fit import differences
from cfft.errors import ConfigError, WeightsError


def average_weights(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Return (1 - alpha) * a + alpha * b, tensor by tensor (WiSE-FT, Wortsman et al. 2022, Eq. 1).

    `alpha` 0 gives `a`, 1 gives `b`; 0 <= alpha <= 1. Computed in float32 at least; keeps the
    dtypes of `a`. Raises WeightsError where names or shapes differ, or whole numbers do.
    """
    check_alpha(alpha)
    problems = differences(a, b)
    if problems:
        raise WeightsError(f"the second model cannot be averaged with the first: {problems}")
    return {key: _mix(key, a[key], b[key], alpha) for key in a}


def check_alpha(alpha: float) -> None:
    """Raise ConfigError unless 0 <= `alpha` <= 1."""
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha {alpha:g} is out of range; allowed: 0 (first) to 1 (second)")


def _mix(key: str, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    if not (a.is_floating_point() and b.is_floating_point()):
        if not torch.equal(a, b):
            raise WeightsError(f"{key} differs and has no average: it holds whole numbers")
        return a.clone()
    wide = torch.promote_types(a.dtype, torch.float32)
    return ((1 - alpha) * a.to(wide) + alpha * b.to(wide)).to(a.dtype)
