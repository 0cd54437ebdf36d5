"""Interpolation whose share changes with depth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import cfft

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = re.compile(r"\.(\d+)\.")
_BEFORE = re.compile("token|embed|patch|conv1|ln_pre|norm_pre")


@cfft.merge("layer-wise")
class LayerWiseMerge(cfft.Merge):
    """Take more of the fine-tuned model from layer to layer, or less.

    (1 - a) * start + a * fine-tuned with a = shallow + (deep - shallow) * l / (L + 1). l: 0
    before the first of L blocks, the block's number from 1, L + 1 after the last and in the head.
    As LiNeS (Wang et al. 2025) for one task: shallow layers stay near the pre-trained ones. That
    counts blocks alone and tunes the values; taken here: 0.3 and 1. Equal values are an average
    with one alpha.
    """

    shallow: float = cfft.param(
        0.3, help="share of the fine-tuned model before the first block", ge=0, le=1
    )
    deep: float = cfft.param(
        1.0, help="share of the fine-tuned model after the last block", ge=0, le=1
    )

    def merge(
        self,
        start: Mapping[str, Tensor],
        tuned: Sequence[Mapping[str, Tensor]],
        score: cfft.Score,
    ) -> Mapping[str, Tensor]:
        """Return the interpolation with the last of `tuned`."""
        end = tuned[-1]
        return {
            name: cfft.average_weights(
                {name: start[name]},
                {name: end[name]},
                self.shallow + (self.deep - self.shallow) * depth,
            )[name]
            for name, depth in depths(start).items()
        }


def depths(names: Iterable[str]) -> dict[str, float]:
    """Return how deep each tensor lies, 0 to 1, by the number of its block in its name."""
    listed = list(names)
    numbers = {name: int(found[1]) for name in listed if (found := _BLOCK.search(name))}
    after = max(numbers.values(), default=-1) + 2
    return {name: _layer(name, numbers, after) / after for name in listed}


def _layer(name: str, numbers: Mapping[str, int], after: int) -> int:
    if name in numbers:
        return numbers[name] + 1
    return 0 if _BEFORE.search(name) else after
