"""Rules of the kinds that act before training: teacher, backbone and suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any

import torch
from torch import nn

from cfft.data.consistency import every_set, inconsistencies
from cfft.data.sets import damage
from cfft.data.suite import EvaluationSets, ImageSet, Suite, SuiteSets
from cfft.encoder.encoder import Capture, Classifier
from cfft.errors import DataError, counted
from cfft.model.pretrained import Backbone, Pretrained
from cfft.records import Preprocessing
from cfft.step.interfaces import Teacher
from cfft.testing.guard import leaves_alone, must
from cfft.testing.models import TinySource, tiny_batch

Opened = SuiteSets | EvaluationSets


def check_teacher(who: str, teacher: Teacher) -> None:
    """Load twice from a source of tiny models and compare."""
    source, batch = TinySource(), tiny_batch()
    with leaves_alone(who, {}):
        model = teacher.load(source)
    again = teacher.load(source)
    must(isinstance(model, Classifier), f"{who} must return a Classifier")
    must(again is not model, f"{who} must load a new model each time")
    first, second = model.weights(), again.weights()
    same = first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
    must(same, f"{who} must load the same weights from the same source")
    logits = model(batch.images).logits
    must(bool(logits.isfinite().all()), f"{who}: its logits must be finite")


def check_backbone(who: str, backbone: Backbone, model: str, weights: str | None = None) -> None:
    """Build `model` and run its encoder, whole and with dropped tokens."""
    pretrained = backbone.build(model, weights)
    must(isinstance(pretrained, Pretrained), f"{who} must return a Pretrained")
    _check_encoder(who, pretrained)
    again = backbone.build(pretrained.rebuild, None)
    same = _facts(again) == _facts(pretrained)
    must(same, f"{who}: rebuild '{pretrained.rebuild}' must build the same encoder")
    if pretrained.encode_text is not None:
        encoded = tuple(pretrained.encode_text(["a dog", "a cat"]).shape)
        wanted = (2, pretrained.encoder.dim)
        must(encoded == wanted, f"{who}: encode_text must give {list(wanted)}, got {list(encoded)}")
        must(bool(pretrained.templates), f"{who} has a text tower, so it needs templates")
    if pretrained.text is not None:
        _check_text(who, pretrained.text, pretrained.encoder.dim)


def _check_text(who: str, tower: nn.Module, dim: int) -> None:
    prompts = ["a dog", "a cat"]
    parameters = dict(tower.named_parameters())
    must("logit_scale" in parameters, f"{who}: text must have a parameter logit_scale")
    features = tower(prompts)
    shape = list(features.shape)
    must(shape == [2, dim], f"{who}: text must give {[2, dim]}, got {shape}")
    must(features.requires_grad, f"{who}: text must give features in the graph")
    copy = deepcopy(tower)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.add_(1)
    alone = torch.equal(tower(prompts), features)
    must(alone, f"{who}: a deep copy of text must have weights of its own")


def _facts(pretrained: Pretrained) -> tuple[Preprocessing, dict[str, torch.Size]]:
    weights = pretrained.encoder.tower.state_dict()
    return pretrained.preprocessing, {name: value.shape for name, value in weights.items()}


def _check_encoder(who: str, pretrained: Pretrained) -> None:
    encoder, size = pretrained.encoder, pretrained.preprocessing.size
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    covered = tuple(n * p for n, p in zip(encoder.grid, encoder.patch, strict=True))
    must(covered == tuple(size), f"{who}: grid times patch is {covered}, the images are {size}")
    capture = Capture()
    with leaves_alone(who, {"images": images}):
        features = encoder(images, capture=capture)
    seen, wanted = list(features.shape), [2, encoder.dim]
    must(seen == wanted, f"{who}: features must be {wanted}, got {seen}")
    must(capture.grid == encoder.grid and bool(capture.layers), f"{who}: nothing was captured")
    nothing = torch.zeros(2, *encoder.grid, dtype=torch.bool)
    same = torch.allclose(encoder(images, nothing), features, rtol=1e-4, atol=1e-5)
    must(same, f"{who}: dropping no token must not change the features")


def check_suite(who: str, suite: Suite) -> None:
    """Open twice, read the first and last image of every set, and compare.

    A suite with `evaluation` is opened that way too, and its `open` may raise DataError.
    """
    evaluation = Suite.of(suite).evaluation
    measured = evaluation(0) is not None
    shared = Suite.of(suite).shared_names
    if not measured or _can_train(suite):
        _check_way(who, suite.open, SuiteSets, shared)
    if measured:
        _check_way(f"{who}, evaluation()", evaluation, EvaluationSets, shared)


def _can_train(suite: Suite) -> bool:
    try:
        suite.open(0)
    except DataError:
        return False
    return True


def _check_way(
    who: str, opened: Callable[[int], Any], wanted: type[Opened], shared: Sequence[str]
) -> None:
    with leaves_alone(who, {}):
        sets = opened(0)
    must(isinstance(sets, wanted), f"{who} must return {wanted.__name__}")
    problem = next(chain(damage(sets), inconsistencies(sets)), None)
    must(problem is None, f"{who}: {problem}")
    _check_shared_names(who, shared, sets.classes)
    for first, second in zip(every_set(sets), every_set(opened(0)), strict=True):
        _check_images(f"{who}, set '{first.name}'", first, second)


def _check_shared_names(who: str, shared: Sequence[str], classes: Sequence[str]) -> None:
    for name in shared:
        must(shared.count(name) == 1, f"{who}: shared_names has '{name}' twice")
        found = classes.count(name)
        called = f"{counted(found, 'class is', 'classes are')} called '{name}'"
        must(found > 1, f"{who}: {called}: shared_names are for names that several classes have")


def _identities(images: ImageSet) -> list[str]:
    return [images.identify(index) for index in range(len(images))]


def _check_images(who: str, images: ImageSet, again: ImageSet) -> None:
    identities = _identities(images)
    same = [*images.labels] == [*again.labels] and identities == _identities(again)
    must(same, f"{who}: the same seed must give the same images")
    must(len(set(identities)) == len(identities), f"{who}: two images have the same identity")
    for index in (0, len(images) - 1):
        mode = images.read(index).mode
        must(mode == "RGB", f"{who}: read() must give RGB, got {mode}")
