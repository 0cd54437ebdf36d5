"""Everything about a model but its weights, and the files that hold both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from cfft.errors import WeightsError
from cfft.model.checkpoint import (
    MANIFEST,
    MODEL,
    STATE,
    WEIGHTS,
    is_checkpoint,
    load_model,
    located,
)
from cfft.model.pretrained import Pretrained
from cfft.model.weight_paths import split_nest
from cfft.model.weights import WeightFile, contradictions, read_weight_file, weight_identity
from cfft.records import Preprocessing
from cfft.runtime.json_files import read_json, structured

_NORMALISED = {"zero-shot": True, "own": False}
_CHECKPOINTS, _CONFIG = "checkpoints", "config.toml"
_BEST = Path(_CHECKPOINTS) / "best"
IMAGE = "image"
"""The fact of an architecture that says the size of its images."""
_OF_SIZE = ("preprocessing size", "preprocessing resize")


@attrs.frozen
class ModelDescription:
    """Say how to build a classifier again, and which weight files may take each other's place.

    `name`: the architecture as the user asked for it. `rebuild`, `identity` and `preprocessing` as
    in Pretrained. `normalised`: whether its head acts on L2-normalised features. `head`: the kind
    that training started from. `prompts`: the templates of a zero-shot head, else empty. `seeds`:
    those of the runs that trained it; empty before fine-tuning and where nothing says them.
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
    seeds: tuple[int, ...] = ()

    @classmethod
    def of(cls, model: Any, place: Path) -> ModelDescription:
        """Return what a checkpoint says of its model; raises WeightsError naming `place`."""
        return structured(model, cls, str(place), WeightsError, strict=True)

    @property
    def facts(self) -> dict[str, str]:
        """The facts that weights must share to stand in for each other, by name."""
        prepared = attrs.asdict(self.preprocessing)
        return {
            **self.identity,
            **{f"preprocessing {key}": str(value) for key, value in prepared.items()},
            "head on normalised features": str(self.normalised),
        }

    def differences(self, other: ModelDescription) -> list[str]:
        """Name what keeps the weights of `other` from standing in for this model's.

        Of images of another size only that is named, not what follows from it.
        """
        theirs, ours = other.facts, self.facts
        if theirs.get(IMAGE) != ours.get(IMAGE):
            theirs, ours = (_without_size(facts) for facts in (theirs, ours))
        facts = contradictions(theirs, ours)
        return [*facts, *_class_differences(other.classes, self.classes)]


def describe(
    backbone: str,
    name: str,
    pretrained: Pretrained,
    classes: tuple[str, ...],
    head: str,
    prompts: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
) -> ModelDescription:
    """Return the description of a model whose parts come from `pretrained`.

    A zero-shot head acts on normalised features and the backbone's own on features as they are,
    whatever `pretrained` says of other heads.
    """
    return ModelDescription(
        backbone=backbone,
        name=name,
        rebuild=pretrained.rebuild,
        identity=dict(pretrained.identity),
        preprocessing=pretrained.preprocessing,
        normalised=_NORMALISED.get(head, pretrained.normalised),
        classes=classes,
        head=head,
        prompts=prompts,
        seeds=seeds,
    )


def read_description(folder: Path) -> ModelDescription | None:
    """Return the description beside a weight file, or None where there is none."""
    path = folder / MODEL
    if not path.exists():
        return None
    return ModelDescription.of(read_json(path, dict, "model description", WeightsError), path)


def find_weights(path: Path) -> Path:
    """Return the weight file of a run (its best), of a checkpoint folder, or `path` itself.

    `path` may be `FILE:NEST`, which is then returned as it is.
    Where the machine stopped while a checkpoint was replaced, the older one counts. Raises
    WeightsError where there is none.
    """
    candidates = map(_newest, (path / _BEST / WEIGHTS, path / WEIGHTS, path))
    found = next((each for each in candidates if split_nest(each)[0].is_file()), None)
    if found is None:
        raise WeightsError(
            f"{path}: no weights here; give a run directory, a checkpoint directory with "
            f"{WEIGHTS}, or such a file"
        )
    return found


def read_weights(path: Path) -> WeightFile:
    """Read a weight file to the CPU; in a checkpoint, compare it with its digest.

    Takes safetensors files, and pickles that hold nothing but tensors and plain values, told by
    their first bytes. Of a training checkpoint it gives the usual state dictionary (`state_dict`,
    `model`, ...) or the one of `FILE:NEST`, also the tensors under a prefix; prefixes of wrappers
    (`module.`, `model.`, `_orig_mod.`) are cut off. Raises WeightsError where the file is missing,
    damaged, not finite, or needs code to be read, and in a checkpoint that has lost its digests.
    """
    if path.name != WEIGHTS:
        return read_weight_file(path)
    if not is_checkpoint(path.parent):
        return _read_alone(path)
    stored = load_model(path.parent)
    return WeightFile(_newest(path), stored.weights, stored.model.get("identity", {}))


def read_model(path: Path) -> WeightFile:
    """Read the weights of a run (its best), a checkpoint folder or a file, with the description.

    Raises WeightsError as `read_weights` does, and for a description that cannot be read.
    """
    file = read_weights(find_weights(path))
    found = read_description(file.path.parent)
    identity = file.identity if found is None else found.identity
    return attrs.evolve(file, identity=identity, description=found)


def read_identity(path: Path) -> Mapping[str, str]:
    """Return what a weight file, or the description beside it, says of its architecture.

    Empty where neither says anything. Tensors are not read.
    """
    found = read_description(path.parent)
    return weight_identity(split_nest(path)[0]) if found is None else found.identity


def _read_alone(path: Path) -> WeightFile:
    """Read weights of a folder without digests, with a warning where their description is there."""
    folder = path.absolute().parent
    is_of_run = folder.parent.name == _CHECKPOINTS and (folder.parents[1] / _CONFIG).exists()
    if is_of_run or any((folder / name).exists() for name in (STATE, MANIFEST)):
        raise WeightsError(
            f"the checkpoint in {folder} is incomplete: it has no {MANIFEST} to compare its weights"
            f" with: restore it from a copy, or copy {WEIGHTS} and {MODEL} elsewhere to use them as"
            " they are"
        )
    file = read_weight_file(path)
    if not (folder / MODEL).exists():
        return file
    told = f"{path}: no {MANIFEST} is beside it, so that nobody can tell whether it is damaged"
    return attrs.evolve(file, warnings=(*file.warnings, told))


def _newest(file: Path) -> Path:
    return located(file.parent) / file.name if is_checkpoint(file.parent) else file


def _without_size(facts: Mapping[str, str]) -> dict[str, str]:
    return {fact: value for fact, value in facts.items() if fact not in _OF_SIZE}


def _class_differences(theirs: tuple[str, ...], ours: tuple[str, ...]) -> list[str]:
    if len(theirs) != len(ours):
        return [f"it has {len(theirs)} classes, not {len(ours)}"]
    pairs = enumerate(zip(theirs, ours, strict=True))
    other = [f"class {i} is '{their}', not '{our}'" for i, (their, our) in pairs if their != our]
    return other[:3]
