"""Rules of the kinds that act on weights: adaptation, average and merge."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cfft.encoder.fit import differences
from cfft.model.interfaces import Adaptation, Average, Merge
from cfft.testing.guard import leaves_alone, must
from cfft.testing.models import tiny_batch, tiny_classifier

_STEPS = 50


def check_adaptation(who: str, adaptation: Adaptation) -> None:
    """Attach to a tiny model, train a step, and compare what is stored with what was trained."""
    ways = Adaptation.of(adaptation)
    plain, batch = tiny_classifier(), tiny_batch()
    model, other = tiny_classifier(), tiny_classifier()
    with leaves_alone(who, {"images": batch.images}):
        trained, again = (list(ways.attach(each, _rng())) for each in (model, other))
    must(bool(trained), f"{who}: attach returned no parameters to train")
    _check_trained(who, model, trained)
    same = len(trained) == len(again) and all(map(torch.equal, trained, again))
    must(same, f"{who} must draw first values from rng alone")
    wanted = plain(batch.images).features
    ways.end_training(model)
    _close(who, "attached and not yet trained, it", model(batch.images).features, wanted)
    ways.begin_step(model, _rng())
    encoded = model(batch.images)
    (encoded.features.square().mean() + encoded.logits.square().mean()).backward()
    with torch.no_grad():
        for parameter in trained:
            if parameter.grad is not None:
                parameter.sub_(0.1 * parameter.grad)
    ways.end_training(model)
    problems = differences(plain.weights(), model.weights())
    must(not problems, f"{who}: its weights are not those of a plain model: {problems}")
    found = model(batch.images)
    plain.load_weights(model.weights())
    _close(who, "the stored model", plain(batch.images).features, found.features)


def _check_trained(who: str, model: torch.nn.Module, trained: list[torch.nn.Parameter]) -> None:
    own = {id(parameter) for parameter in model.parameters()}
    must(all(id(p) in own for p in trained), f"{who} must return parameters of the model")
    must(len({id(p) for p in trained}) == len(trained), f"{who} returned a parameter twice")


def _close(who: str, what: str, found: Tensor, wanted: Tensor) -> None:
    gap = float((found - wanted).detach().abs().max())
    must(gap <= 1e-5, f"{who}: {what} must give the same features, they differ by {gap:.2g}")


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


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
