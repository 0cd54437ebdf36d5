"""Average the weights of models that share an architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cfft.errors import ConfigError, WeightsError
from cfft.weights import differences


def average_weights(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Return (1 - alpha) * a + alpha * b, tensor by tensor (WiSE-FT, Wortsman et al. 2022, Eq. 1).

    `alpha` 0 gives `a`, 1 gives `b`; 0 <= alpha <= 1. Computed in float32 at least; keeps the
    dtypes of `a`. Raises WeightsError where names or shapes differ, or whole numbers do.
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha {alpha:g} is out of range; allowed: 0 (first) to 1 (second)")
    return _weighted_sum([a, b], [1 - alpha, alpha])


def soup(models: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the plain mean of several models' weights (uniform soup, Wortsman et al. 2022).

    Raises ConfigError where there is none, WeightsError as average_weights does.
    """
    if not models:
        raise ConfigError("no weights to average; give at least one file")
    return _weighted_sum(models, [1 / len(models)] * len(models))


def _weighted_sum(
    models: Sequence[Mapping[str, Tensor]], shares: Sequence[float]
) -> dict[str, Tensor]:
    first, *others = models
    for number, other in enumerate(others, 2):
        problems = differences(first, other)
        if problems:
            raise WeightsError(f"model {number} cannot be averaged with the first: {problems}")
    return {key: _mix(key, [model[key] for model in models], shares) for key in first}


def _mix(key: str, tensors: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    first = tensors[0]
    if not first.is_floating_point():
        if not all(torch.equal(first, other) for other in tensors[1:]):
            raise WeightsError(f"{key} differs and has no average: it holds whole numbers")
        return first.clone()
    wide = torch.promote_types(first.dtype, torch.float32)
    terms = [tensor.to(wide) * share for tensor, share in zip(tensors, shares, strict=True)]
    return torch.stack(terms).sum(dim=0).to(first.dtype)
