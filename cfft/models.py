"""What a model is besides its weights, and fresh models of a run's architecture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import attrs
import cattrs
import torch

from cfft.encoder import Classifier, Head
from cfft.errors import WeightsError
from cfft.interfaces import Backbone, Preprocessing, Pretrained
from cfft.weights import contradictions, read_weights

DESCRIPTION = "model.json"
WEIGHTS = "weights.safetensors"
_BEST = Path("checkpoints") / "best"


@attrs.frozen
class ModelDescription:
    """Say how to build a classifier again, and which weight files may take each other's place.

    `name`: the architecture as the user asked for it. `rebuild`, `identity`, `preprocessing` and
    `normalised` as in Pretrained. `head`: the kind that training started from. `prompts`: the
    templates of a zero-shot head, else empty.
    """

    backbone: str
    name: str
    rebuild: str
    identity: Mapping[str, str]
    preprocessing: Preprocessing
    normalised: bool
    classes: tuple[str, ...]
    head: str
    prompts: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return it as indented JSON."""
        return json.dumps(_CONVERTER.unstructure(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: Path) -> ModelDescription:
        """Read what `to_json` wrote; raises WeightsError naming `origin`."""
        try:
            found: ModelDescription = _CONVERTER.structure(json.loads(text), cls)
        except (ValueError, AttributeError, cattrs.BaseValidationError) as error:
            raise WeightsError(f"{origin}: no model description of cfft ({error})") from error
        return found

    def differences(self, other: ModelDescription) -> list[str]:
        """Name what keeps the weights of `other` from standing in for this model's."""
        facts = contradictions(_comparable(other), _comparable(self))
        return [*facts, *_class_differences(other.classes, self.classes)]


def describe(
    backbone: str,
    name: str,
    pretrained: Pretrained,
    classes: tuple[str, ...],
    head: str,
    prompts: tuple[str, ...] = (),
) -> ModelDescription:
    """Return the description of a model whose parts come from `pretrained`."""
    return ModelDescription(
        backbone=backbone,
        name=name,
        rebuild=pretrained.rebuild,
        identity=dict(pretrained.identity),
        preprocessing=pretrained.preprocessing,
        normalised=pretrained.normalised,
        classes=classes,
        head=head,
        prompts=prompts,
    )


def read_description(folder: Path) -> ModelDescription | None:
    """Return the description beside a weight file, or None where there is none."""
    path = folder / DESCRIPTION
    return (
        ModelDescription.from_json(path.read_text(encoding="utf-8"), path)
        if path.is_file()
        else None
    )


def find_weights(path: Path) -> Path:
    """Return the weight file of a run (its best), of a checkpoint folder, or `path` itself.

    Raises WeightsError where there is none.
    """
    candidates = [path / _BEST / WEIGHTS, path / WEIGHTS] if path.is_dir() else [path]
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        raise WeightsError(
            f"{path}: no weights here; give a run directory, a checkpoint directory with "
            f"{WEIGHTS}, or such a file"
        )
    return found


def rebuild(description: ModelDescription, backbone: Backbone) -> Classifier:
    """Build a described classifier with values yet to be loaded, without touching the network.

    Raises WeightsError where `backbone` builds something else by now.
    """
    pretrained = backbone.build(description.rebuild, None)
    problems = contradictions(description.identity, pretrained.identity)
    if problems:
        raise WeightsError(
            f"backbone '{description.backbone}' builds another '{description.name}' than the one "
            f"that was stored: {'; '.join(problems)}"
        )
    classes = len(description.classes)
    weight = torch.zeros(classes, pretrained.encoder.dim)
    return Classifier(
        pretrained.encoder, Head(weight, torch.zeros(classes), description.normalised)
    )


@attrs.frozen(eq=False)
class Models:
    """Give teachers fresh models of a run's architecture, on the CPU and in float32.

    `start`: the pre-trained encoder with the head that training starts from; it is copied, never
    changed. Give it before it moves to a device or trains.
    """

    start: Classifier
    description: ModelDescription

    def pretrained(self) -> Classifier:
        """Return a copy of the pre-trained model with the head that training starts from."""
        return deepcopy(self.start).to("cpu", torch.float32)

    def load(self, path: Path) -> Classifier:
        """Return the model of a run directory, a checkpoint directory or a weight file of a run.

        Raises WeightsError naming each difference of architecture, classes or preprocessing.
        """
        weights = find_weights(path)
        found = read_description(weights.parent)
        problems = self.description.differences(found) if found else []
        if problems:
            raise WeightsError(f"{weights}: a model that does not fit: {'; '.join(problems)}")
        model = self.pretrained()
        try:
            model.load_weights(read_weights(weights).tensors)
        except WeightsError as error:
            raise WeightsError(f"{weights}: {error}") from error
        return model


def _comparable(description: ModelDescription) -> dict[str, str]:
    prepared = attrs.asdict(description.preprocessing)
    return {
        **description.identity,
        **{f"preprocessing {key}": str(value) for key, value in prepared.items()},
        "head on normalised features": str(description.normalised),
    }


def _class_differences(theirs: tuple[str, ...], ours: tuple[str, ...]) -> list[str]:
    if len(theirs) != len(ours):
        return [f"it has {len(theirs)} classes, here {len(ours)}"]
    pairs = enumerate(zip(theirs, ours, strict=True))
    return [f"class {i} is '{their}', here '{our}'" for i, (their, our) in pairs if their != our][
        :3
    ]


def _converter() -> cattrs.Converter:
    made = cattrs.Converter(forbid_extra_keys=True)
    made.register_unstructure_hook(tuple, list)
    return made


_CONVERTER: Any = _converter()
