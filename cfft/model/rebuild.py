"""Classifiers from files: built from their description, or a run's with other weights."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import attrs
import torch

from cfft.encoder.encoder import Classifier, Head
from cfft.errors import WeightsError, returned
from cfft.model.checkpoint import MODEL
from cfft.model.description import ModelDescription, read_model
from cfft.model.pretrained import Pretrained
from cfft.model.weights import WeightFile, contradictions, require_same_model, require_weights_fit
from cfft.plugin.registry import Registry


def described(file: WeightFile) -> ModelDescription:
    """Return the description beside a weight file; raises WeightsError without one."""
    if file.description is None:
        raise WeightsError(
            f"{file.path} does not say which model it is (no {MODEL} beside it): give the "
            "run or checkpoint directory that it comes from"
        )
    return file.description


def rebuild(file: WeightFile, registry: Registry) -> Classifier:
    """Build the described model and give it the weights of `file`, on the CPU, in float32.

    Raises WeightsError where nothing says which model it is, where this version of its backbone
    makes another one of that name, and where the weights do not fit; ConfigError where its backbone
    is not installed.
    """
    description = described(file)
    backbone = registry.build("backbone", description.backbone, {}, {})
    built: Pretrained = returned(
        backbone, "build", backbone.build(description.rebuild, None), Pretrained
    )
    problems = contradictions(description.identity, built.identity)
    if problems:
        raise WeightsError(
            f"model {description.name} cannot be built as it was: {'; '.join(problems)}; install "
            "the versions that its run names in config.toml"
        )
    classifier = empty_classifier(built, len(description.classes), description.normalised)
    require_weights_fit(classifier.weights(), file, description.name)
    classifier.load_weights(file.tensors)
    return classifier


def empty_classifier(pretrained: Pretrained, classes: int, normalised: bool) -> Classifier:
    """Return the encoder with a head of zeros, to be filled from a weight file."""
    weight = torch.zeros(classes, pretrained.encoder.dim)
    return Classifier(pretrained.encoder, Head(weight, torch.zeros(classes), normalised))


@attrs.frozen(eq=False)
class TeacherSource:
    """Give teachers fresh models of a run's architecture, on the CPU and in float32.

    `start`: the pre-trained encoder with the head that training starts from; it is copied, never
    changed. Give it before it moves to a device or trains. `warnings`: lines for the user about
    files that were loaded, as in WeightFile.
    """

    start: Classifier
    description: ModelDescription
    warnings: list[str] = attrs.field(factory=list, init=False)

    def pretrained(self) -> Classifier:
        """Return a copy of the pre-trained model with the head that training starts from."""
        return deepcopy(self.start).to("cpu", torch.float32)

    def load(self, path: Path) -> Classifier:
        """Return the model of a run directory, a checkpoint directory or a weight file of a run.

        Raises WeightsError naming each difference of architecture, classes or preprocessing.
        """
        file = read_model(path)
        problems = self.description.differences(file.description) if file.description else []
        if problems:
            raise WeightsError(f"{file.path}: a model that does not fit: {'; '.join(problems)}")
        require_same_model(file, self.description.identity)
        require_weights_fit(self.start.weights(), file, self.description.name)
        model = self.pretrained()
        model.load_weights(file.tensors)
        self.warnings.extend(line for line in file.warnings if line not in self.warnings)
        return model
