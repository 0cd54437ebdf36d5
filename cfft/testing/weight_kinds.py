"""Rules of the kinds that act on the weights of whole models: average and merge."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cfft.encoder.fit import differences
from cfft.model.interfaces import Average, Merge
from cfft.testing.guard import leaves_alone, must
from cfft.testing.models import tiny_classifier

_STEPS = 50


def check_average(who: str, average: Average) -> None:
    """Weigh every step of a short training."""
    for step in range(1, _STEPS + 1):
        weight = average.weigh(step, _STEPS)
        holds = isinstance(weight, (int, float)) and 0 <= weight <= 1
        must(holds, f"{who}: weigh({step}, {_STEPS}) must be a number from 0 to 1, got {weight!r}")
        must(weight == average.weigh(step, _STEPS), f"{who} must keep nothing between steps")


def check_merge(who: str, merge: Merge) -> None:
    """Merge tiny models twice, and one model with copies of itself."""
    count = max(2, Merge.of(merge).smallest_count)
    start, *tuned = (tiny_classifier(seed=seed).weights() for seed in range(count + 1))
    given = {f"{i}.{k}": v for i, each in enumerate((start, *tuned)) for k, v in each.items()}
    with leaves_alone(who, given):
        merged = merge.merge(start, tuned, _score)
    must(isinstance(merged, Mapping), f"{who} must return weights by name")
    problems = differences(start, merged)
    must(not problems, f"{who} must return weights of the same model: {problems}")
    finite = all(bool(value.isfinite().all()) for value in merged.values())
    must(finite, f"{who} must return finite weights")
    again = merge.merge(start, tuned, _score)
    must(all(torch.equal(merged[k], again[k]) for k in merged), f"{who} must merge the same again")
    if not Merge.of(merge).uses_start:
        other = merge.merge(tuned[0], tuned, _score)
        same = all(torch.equal(merged[k], other[k]) for k in merged)
        must(same, f"{who} looks at start: leave uses_start out")
    itself = merge.merge(start, [start] * count, _score)
    gaps = [float((itself[k] - start[k]).abs().max()) for k in start]
    must(max(gaps) <= 1e-5, f"{who}: copies of one model must give that model")


def _score(weights: Mapping[str, Tensor], candidate: str) -> float:
    """Return a number in 0..1 that changes little where weights change little."""
    means = torch.stack([value.double().mean() for value in weights.values()])
    return float(torch.sigmoid(means.sum()))
