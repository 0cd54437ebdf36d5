"""Model Stock: the pre-trained model as an anchor for the mean of a few fine-tuned ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cfft
from cfft_merges.soups import running_mean

if TYPE_CHECKING:
    from torch import Tensor

Weights = Mapping[str, "Tensor"]


@cfft.merge("model-stock")
class ModelStockMerge(cfft.Merge):
    """Pull the mean of fine-tuned models to the start where they disagree.

    Per tensor (1 - t) * start + t * mean, t = N cos / (1 + (N - 1) cos) for N models: Jang et al.
    (2024, "Model Stock"), layer-wise. cos: cosine of the angle between two models' differences from
    the start, the mean over all pairs. A cosine below 0 counts as 0, so that 0 <= t <= 1; so does
    that of a tensor that training left as it was. Models are read twice, one by one.
    """

    smallest_count = 2

    def merge(self, start: Weights, tuned: Sequence[Weights], score: cfft.Score) -> Weights:
        """Return the anchored mean of all of `tuned`."""
        count = len(tuned)
        directions = {name: _direction(start, tuned[0], name) for name in _floating(start)}
        for position in range(1, count):
            _add_directions(directions, start, tuned[position])
        ratios = {name: _ratio(total, count) for name, total in directions.items()}
        del directions
        mean = running_mean(tuned)
        return {
            name: cfft.average_weights(
                {name: start[name]}, {name: mean[name]}, ratios.get(name, 1.0)
            )[name]
            for name in start
        }


def _floating(weights: Weights) -> list[str]:
    return [name for name, value in weights.items() if value.is_floating_point()]


def _direction(start: Weights, model: Weights, name: str) -> Tensor:
    """Return the unit vector from the start to a model, in float64; zero where they are equal."""
    change = model[name].double() - start[name].double()
    length = float(change.norm())
    return change / length if length else change


def _add_directions(totals: dict[str, Tensor], start: Weights, model: Weights) -> None:
    for name, total in totals.items():
        total += _direction(start, model, name)


def _ratio(total: Tensor, count: int) -> float:
    """Return t, given the sum of the unit vectors: |sum|^2 = N + N (N - 1) * mean cosine."""
    cosine = (float(total.square().sum()) - count) / (count * (count - 1))
    cosine = min(1.0, max(0.0, cosine))
    return count * cosine / (1 + (count - 1) * cosine)
