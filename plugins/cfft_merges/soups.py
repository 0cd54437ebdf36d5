"""Model soups: averages of models that were fine-tuned from the same start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cfft

if TYPE_CHECKING:
    from torch import Tensor

Weights = Mapping[str, "Tensor"]


@cfft.merge("uniform-soup")
class UniformSoup(cfft.Merge):
    """Average fine-tuned models, each with the same weight.

    (theta_1 + ... + theta_n) / n: the uniform soup of Wortsman et al. (2022, "Model soups",
    Table 1). The start counts for nothing. Models are read one by one; a soup of copies is the copy
    bit for bit.
    """

    smallest_count = 2
    uses_start = False

    def merge(self, start: Weights, tuned: Sequence[Weights], score: cfft.Score) -> Weights:
        """Return the mean of `tuned`."""
        return running_mean(tuned)


@cfft.merge("greedy-soup")
class GreedySoup(cfft.Merge):
    """Average those fine-tuned models that do not lower the validation accuracy.

    Recipe 1 of Wortsman et al. (2022, "Model soups"): models are tried in the order of their
    validation accuracy, the best first; each is kept where the accuracy of the soup with it is at
    least that of the soup without. So the soup is never below its best model. Of equally good
    models the earlier is tried first. The start counts for nothing.
    """

    smallest_count = 2
    uses_start = False

    def merge(self, start: Weights, tuned: Sequence[Weights], score: cfft.Score) -> Weights:
        """Return the soup; every model and every soup that was tried is a candidate."""
        own = [score(tuned[i], f"model {i + 1}") for i in range(len(tuned))]
        first, *others = sorted(range(len(own)), key=lambda i: -own[i])
        soup, best, kept = tuned[first], own[first], [first]
        for position in others:
            tried = [*kept, position]
            candidate = approach(soup, tuned[position], 1 / len(tried))
            found = score(candidate, f"soup of {' + '.join(str(i + 1) for i in tried)}")
            if found >= best:
                soup, best, kept = candidate, found, tried
            del candidate  # it must not live while the next model is read
        return soup


def running_mean(models: Sequence[Weights]) -> Weights:
    """Return the mean of models, read one by one, with the dtypes of the first."""
    mean = models[0]
    for count in range(2, len(models) + 1):
        mean = approach(mean, models[count - 1], 1 / count)
    return mean


def approach(mean: Weights, model: Weights, share: float) -> dict[str, Tensor]:
    """Return mean + share * (model - mean), which leaves the mean of copies as it is.

    In float32 at least. Raises WeightsError where whole numbers differ.
    """
    return {name: _approached(name, mean[name], model[name], share) for name in mean}


def _approached(name: str, mean: Tensor, model: Tensor, share: float) -> Tensor:
    import torch

    if not mean.is_floating_point():
        return cfft.average_weights({name: mean}, {name: model}, share)[name]
    wide = torch.promote_types(mean.dtype, torch.float32)
    return torch.lerp(mean.to(wide), model.to(wide), share).to(mean.dtype)
