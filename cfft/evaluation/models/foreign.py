"""Weight files of other programs: head and tower recognised by the names of their tensors."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import torch
from torch import Tensor

from cfft.config.run_config import RunConfig
from cfft.encoder.encoder import Classifier
from cfft.encoder.fit import differ_in_one
from cfft.errors import ConfigError, WeightsError
from cfft.model.description import describe
from cfft.model.rebuild import empty_classifier
from cfft.model.weights import WeightFile, require_same_model, require_weights_fit
from cfft.scoring.loaded_model import LoadedModel
from cfft.training.starting_model import configured_model

_LAYOUTS = (
    ("visual.", "head."),  # cfft's own
    ("image_encoder.model.visual.", "classification_head."),  # the WiSE-FT program's
    ("model.visual.", "classification_head."),  # the model soups program's
    ("visual.", "classification_head."),  # either, where the encoder alone was wrapped
)


def _classifier_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Return the tensors of tower and head under cfft's names, None where a file has no head.

    Knows the names that cfft, the WiSE-FT program and the model soups program write. Whatever
    else is in the file (a text tower) is left out. A head without a bias gets one of zeros.
    """
    for tower, head in _LAYOUTS:
        if f"{head}weight" in tensors and any(key.startswith(tower) for key in tensors):
            zeros = {"head.bias": torch.zeros(len(tensors[f"{head}weight"]))}
            return _under(tensors, tower, "visual.") | zeros | _under(tensors, head, "head.")
    return None


def load_foreign(
    file: WeightFile, config: RunConfig, classes: tuple[str, ...]
) -> LoadedModel | None:
    """Return the configured architecture with the tower and the head of `file`; None without one.

    `classes`: the names of its outputs, in order. Raises WeightsError where it is of another
    architecture or has another number of classes, and ConfigError where nothing says what its
    tensors do not show.
    """
    tensors = _classifier_tensors(file.tensors)
    if tensors is None:
        return None
    pretrained = configured_model(config)  # weights that are configured decide on its activation
    name = config.model.name
    outputs = len(tensors["head.weight"])
    if outputs != len(classes):
        raise WeightsError(
            f"{file.path}: its head has {outputs} classes, suite '{config.suite.name}' has "
            f"{len(classes)}: take the suite that it was trained for"
        )
    for fact, option in pretrained.unsaid.items():
        if not file.identity:  # cfft's own files say everything
            raise ConfigError(
                f"{file.path}: neither the file nor --model {name} says its {fact}, and another "
                "one gives wrong predictions: give --pretrained with the tag of the weights that "
                f"its training started from, or {option}"
            )
    require_same_model(file, pretrained.identity)
    classifier: Classifier = empty_classifier(pretrained, outputs, pretrained.normalised)
    if differ_in_one(classifier.weights(), tensors):
        tensors |= _resized_tower(config, file)
    require_weights_fit(classifier.weights(), attrs.evolve(file, tensors=tensors), name)
    classifier.load_weights(tensors)
    described = describe(config.backbone.name, name, pretrained, classes, head="stored")
    return LoadedModel(classifier, described)


def _resized_tower(config: RunConfig, file: WeightFile) -> dict[str, Tensor]:
    """Return the tower as the backbone reads it for images of the size that is configured.

    Raises WeightsError as the backbone does, which says what suits the file.
    """
    place = f"{file.path}:{file.nest}" if file.nest else str(file.path)
    built = config.backbone.strategy.build(config.architecture, place)
    weights = empty_classifier(built, 1, built.normalised).weights()
    return {name: t for name, t in weights.items() if name.startswith("visual.")}


def _under(tensors: Mapping[str, Tensor], prefix: str, new: str) -> dict[str, Tensor]:
    return {
        f"{new}{key.removeprefix(prefix)}": tensor
        for key, tensor in tensors.items()
        if key.startswith(prefix)
    }
