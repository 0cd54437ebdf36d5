"""Rules of adaptations: what is trained, frozen, stored and restored."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from cfft.encoder.encoder import Classifier
from cfft.encoder.fit import differences
from cfft.model.interfaces import Adaptation
from cfft.testing.guard import leaves_alone, must
from cfft.testing.models import tiny_batch, tiny_classifier


def check_adaptation(who: str, adaptation: Adaptation) -> None:
    """Attach to a tiny model, train steps, and compare what is stored with what was trained."""
    ways = Adaptation.of(adaptation)
    plain, batch = tiny_classifier(), tiny_batch()
    model, other = tiny_classifier(), tiny_classifier()
    with leaves_alone(who, {"images": batch.images}):
        trained, again = (list(ways.attach(each, _rng())) for each in (model, other))
    must(bool(trained), f"{who}: attach returned no parameters to train")
    _check_trained(who, model, trained)
    same = len(trained) == len(again) and all(map(torch.equal, trained, again))
    must(same, f"{who} must draw first values from rng alone")
    frozen = _freeze_others(model, trained)
    before = {name: parameter.detach().clone() for name, parameter in frozen.items()}
    ways.end_training(model)
    wanted = plain(batch.images).features
    _close(who, "attached and not yet trained, it", model(batch.images).features, wanted)
    for _ in range(2):  # of two factors, one of them 0, only one has a gradient at first
        _train_step(who, ways, model, trained, batch.images)
    changed = [
        name for name, parameter in frozen.items() if not torch.equal(parameter, before[name])
    ]
    must(not changed, f"{who} changed weights that it does not train: {', '.join(changed)}")
    _check_steps(who, ways, model, batch.images)
    _check_stored(who, ways, model, plain, batch.images)
    _check_restored(who, ways, model, other, batch.images)


def _freeze_others(model: Classifier, trained: list[nn.Parameter]) -> dict[str, nn.Parameter]:
    own = {id(parameter) for parameter in trained}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in own)
    return {name: p for name, p in model.named_parameters() if id(p) not in own}


def _train_step(
    who: str, ways: Adaptation, model: Classifier, trained: list[nn.Parameter], images: Tensor
) -> None:
    ways.begin_step(model, _rng())
    encoded = model(images)
    total = encoded.features.square().mean() + encoded.logits.square().mean()
    if total.requires_grad:
        total.backward()
    reached = any(p.grad is not None and bool(p.grad.any()) for p in trained)
    must(reached, f"{who}: no gradient reaches the parameters that attach returned")
    with torch.no_grad():
        for parameter in trained:
            if parameter.grad is not None:
                parameter.sub_(0.1 * parameter.grad)
                parameter.grad = None


def _check_steps(who: str, ways: Adaptation, model: Classifier, images: Tensor) -> None:
    """A step depends on its generator alone, and what is stored on no step."""
    seen, stored = [], []
    for seed in (1, 2, 1):
        with leaves_alone(who, {"images": images}):
            ways.begin_step(model, _rng(seed))
        seen.append(model(images).features.detach())
        with leaves_alone(who, {"images": images}):
            ways.end_training(model)
        stored.append({name: value.clone() for name, value in model.weights().items()})
    must(torch.equal(seen[0], seen[2]), f"{who}: begin_step must depend on rng alone")
    same = all(torch.equal(stored[0][name], stored[1][name]) for name in stored[0])
    must(same, f"{who}: after end_training the weights must not depend on the last step")


def _check_stored(
    who: str, ways: Adaptation, model: Classifier, plain: Classifier, images: Tensor
) -> None:
    ways.end_training(model)
    problems = differences(plain.weights(), model.weights())
    must(not problems, f"{who}: its weights are not those of a plain model: {problems}")
    plain.load_weights(model.weights())
    dropped = torch.zeros(len(images), *plain.encoder.grid, dtype=torch.bool)
    dropped[0, 0] = True
    for what, hidden in (
        ("the stored model", None),
        ("the stored model, tokens dropped,", dropped),
    ):
        _close(who, what, plain(images, hidden).features, model(images, hidden).features)


def _check_restored(
    who: str, ways: Adaptation, model: Classifier, other: Classifier, images: Tensor
) -> None:
    """Adapters go on where they stopped: in a copy, and in a model that loads them."""
    ways.end_training(model)
    ways.end_training(other)
    adapters = model.adapters()
    places = {value.untyped_storage().data_ptr() for value in adapters.values()}
    must(len(places) == len(adapters), f"{who}: register a tensor that adapters share only once")
    if model.is_adapted:
        other.load_adapters(model.weights(), adapters)
    else:
        other.load_weights(model.weights())
    for what, found in (("a model with its adapters loaded", other), ("a copy", deepcopy(model))):
        for each in (found, model):
            ways.begin_step(each, _rng(3))
        same = torch.equal(found(images).features, model(images).features)
        must(same, f"{who}: {what} must go on training like the model itself")


def _check_trained(who: str, model: nn.Module, trained: list[nn.Parameter]) -> None:
    own = {id(parameter) for parameter in model.parameters()}
    must(all(id(p) in own for p in trained), f"{who} must return parameters of the model")
    must(len({id(p) for p in trained}) == len(trained), f"{who} returned a parameter twice")


def _close(who: str, what: str, found: Tensor, wanted: Tensor) -> None:
    gap = float((found - wanted).detach().abs().max())
    must(gap <= 1e-5, f"{who}: {what} must give the same features, they differ by {gap:.2g}")


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
