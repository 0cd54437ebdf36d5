"""Build a stored model again from nothing but its files: a run, a checkpoint, a described file."""

from __future__ import annotations

from pathlib import Path

import attrs
import torch

from cfft.encoder.encoder import Classifier, Head
from cfft.errors import WeightsError
from cfft.model.checkpoint import MODEL
from cfft.model.description import ModelDescription, StoredModel, read_model
from cfft.model.pretrained import Pretrained
from cfft.model.weights import contradictions, require_fit
from cfft.plugin.registry import Registry


@attrs.frozen(eq=False)
class Rebuilt:
    """Hold a model on the CPU, in float32, and what is known of it: preprocessing, classes."""

    classifier: Classifier
    description: ModelDescription


def load_classifier(path: Path, registry: Registry) -> Rebuilt:
    """Return the model of a run directory (its best), a checkpoint directory or a file in one.

    Raises WeightsError where nothing says which model it is or the weights do not fit, and
    ConfigError where its backbone is not installed.
    """
    stored = read_model(path)
    return Rebuilt(rebuild(stored, registry), described(stored))


def described(stored: StoredModel) -> ModelDescription:
    """Return the description beside a weight file; raises WeightsError without one."""
    if stored.description is None:
        raise WeightsError(
            f"{stored.file.path} does not say which model it is (no {MODEL} beside it): give the "
            "run or checkpoint directory that it comes from"
        )
    return stored.description


def rebuild(stored: StoredModel, registry: Registry) -> Classifier:
    """Build the described model and give it the stored weights; raises as `load_classifier`."""
    description = described(stored)
    classifier = empty_classifier(
        build_encoder(description, registry), len(description.classes), description.normalised
    )
    require_fit(classifier.weights(), stored.file, description.name)
    classifier.load_weights(stored.file.tensors)
    return classifier


def empty_classifier(pretrained: Pretrained, classes: int, normalised: bool) -> Classifier:
    """Return the encoder with a head of zeros, to be filled from a weight file."""
    weight = torch.zeros(classes, pretrained.encoder.dim)
    return Classifier(pretrained.encoder, Head(weight, torch.zeros(classes), normalised))


def build_encoder(description: ModelDescription, registry: Registry) -> Pretrained:
    """Build a described model without its weights.

    Raises WeightsError where this version of its backbone makes another model of the name.
    """
    backbone = registry.build("backbone", description.backbone, {}, {})
    built: Pretrained = backbone.build(description.rebuild, None)
    problems = contradictions(description.identity, built.identity)
    if problems:
        raise WeightsError(
            f"model {description.name} cannot be built as it was: {'; '.join(problems)}; install "
            "the versions that its run names in config.toml"
        )
    return built
