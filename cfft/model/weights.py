"""Read weight files without running what is in them, and say where they do not fit."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import warnings
from argparse import Namespace
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from cfft.encoder.fit import differences
from cfft.errors import WeightsError, shortened_list
from cfft.model.file_formats import format_of, is_safetensors, pickled_class, readable_path
from cfft.model.nests import Nest, chosen_nest
from cfft.model.weight_paths import split_nest
from cfft.runtime.documents import parse_json

if TYPE_CHECKING:
    from cfft.model.description import ModelDescription

IDENTITY_KEY = "cfft.identity"
_TOWER = "visual."
_SAVE_TENSORS = "safetensors.torch.save_file(state_dict, 'weights.safetensors')"
_INCOMPLETE = "incomplete download or copy: fetch the file again"
_ENDS_EARLY = "unexpected EOF"  # torch's words for that
# safetensors' words for a file that is cut off
_CUT_OFF = ("header too small", "invalid header length", "incomplete metadata")


@attrs.frozen(eq=False)
class WeightFile:
    """Hold the tensors of a file by name.

    `identity`: the facts about the architecture that cfft wrote with them, empty in other files.
    `description`: the model that they belong to, None where no file beside them says it. `nest`:
    the state dictionary of a checkpoint that they are, such as `state_dict_ema`. `warnings`: lines
    for the user, such as that others lie beside it.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    identity: Mapping[str, str] = attrs.field(factory=dict)
    description: ModelDescription | None = None
    nest: str = ""
    warnings: tuple[str, ...] = ()


def read_weight_file(path: Path) -> WeightFile:
    """Read `FILE` or `FILE:NEST` to the CPU, as `read_weights` does; raises WeightsError."""
    path, asked = split_nest(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such weight file")
    content, identity = _content(path)
    nest = chosen_nest(content, path, asked)
    told = (_beside(path, nest),) if nest.beside else ()
    file = WeightFile(path, nest.tensors, identity, nest=nest.name, warnings=told)
    broken = not_finite(file.tensors)
    if broken:
        raise WeightsError(
            f"{path}: {len(broken)} tensors hold NaN or infinity, the first is '{broken[0]}': the "
            "file is damaged or its training diverged; give another one"
        )
    return file


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Name the tensors that hold NaN or infinity; asks their device once if none does."""
    finite = {name: t.isfinite().all() for name, t in tensors.items() if t.is_floating_point()}
    if not finite or torch.stack(list(finite.values())).all():
        return []
    return [name for name, holds in finite.items() if not holds]


def identity_metadata(identity: Mapping[str, str]) -> dict[str, str] | None:
    """Return what a safetensors file says of its model, None where nothing is known."""
    return {IDENTITY_KEY: json.dumps(identity)} if identity else None


def weight_identity(path: Path) -> Mapping[str, str]:
    """Return the facts that cfft wrote into a safetensors file, empty for other files.

    Raises WeightsError for a file that cannot be read.
    """
    if not is_safetensors(path):
        return {}
    with _readable(path):
        return _identity(path)


def _content(path: Path) -> tuple[Any, Mapping[str, str]]:
    """Return what a file holds, and what cfft wrote into it about the architecture."""
    if format_of(path) == "pytorch":
        return _unpickle(path), {}
    with _readable(path), readable_path(path) as place:
        return load_file(place), _identity(place)


def _beside(path: Path, nest: Nest) -> str:
    return (
        f"{path}: takes the weights '{nest.name}'; others lie beside them: "
        f"{shortened_list(nest.beside)}: {path}:{nest.beside[0]} would take those, and "
        f"{path}:{nest.name} says that these are meant"
    )


def _identity(path: Path) -> Mapping[str, str]:
    with safe_open(path, framework="pt") as file:
        identity = parse_json((file.metadata() or {}).get(IDENTITY_KEY, "{}"))
    if not isinstance(identity, dict):
        raise ValueError(f"{IDENTITY_KEY} is no JSON object")
    return identity


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise WeightsError for what cannot be read of a safetensors file."""
    try:
        yield
    except (SafetensorError, OSError, ValueError) as error:
        is_cut_off = any(sign in str(error) for sign in _CUT_OFF)
        reason = f"not a readable safetensors file ({error})"
        told = _INCOMPLETE if is_cut_off else reason
        raise WeightsError(f"{path}: {told}") from error


def _unpickle(path: Path) -> Any:
    """Read a file of torch.save without running anything in it: tensors and plain values."""
    try:
        # programs store their options as a Namespace, which holds plain values alone
        with torch.serialization.safe_globals([Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles by other programs, refused below
            with path.open("rb") as file:  # of a name, torch would judge by the suffix
                return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path}: {_why_not_unpickled(path, str(error))}") from error
    except Exception as error:  # damaged bytes lead torch to whatever they do
        reason = str(error).split("\n")[0] if isinstance(error, (RuntimeError, OSError)) else ""
        if _ENDS_EARLY in reason:
            raise WeightsError(f"{path}: {_INCOMPLETE}") from error
        if isinstance(error, MemoryError):
            reason = "damaged, or larger than the memory"
        told = reason or "empty, damaged, or of another program"
        raise WeightsError(f"{path}: not a readable PyTorch file ({told})") from error


def _why_not_unpickled(path: Path, message: str) -> str:
    forbidden = re.search(r"GLOBAL (\S+)", message)
    held = forbidden[1] if forbidden else pickled_class(path)
    if held is None:
        return "not a readable PyTorch file (damaged, or of another program)"
    return (
        f"holds {held} beside tensors, so reading it could run code; if you trust it, save "
        f"its tensors alone: {_SAVE_TENSORS}"
    )


def require_weights_fit(expected: Mapping[str, Tensor], file: WeightFile, model: str) -> None:
    """Raise WeightsError unless `file` has exactly the names and shapes of `expected`.

    `model` is how the user named the model; the message gives a few culprits of each sort.
    """
    problems = differences(expected, file.tensors)
    if problems:
        raise WeightsError(
            f"{file.path}: weights of another model than {model}: {problems}"
            f"{_elsewhere(expected, file)}"
        )
    whole = [name for name, t in expected.items() if _is_whole(file.tensors[name], t)]
    if whole:
        first = file.tensors[whole[0]]
        raise WeightsError(
            f"{file.path}: {len(whole)} tensors hold whole numbers, the first is '{whole[0]}' "
            f"({str(first.dtype).removeprefix('torch.')}): quantised or converted weights; give "
            "those in floating point"
        )


def _is_whole(tensor: Tensor, expected: Tensor) -> bool:
    return expected.is_floating_point() and not tensor.is_floating_point()


def _elsewhere(expected: Mapping[str, Tensor], file: WeightFile) -> str:
    """Name the prefixes under which a file has most of the names that are expected."""
    tower = {name.removeprefix(_TOWER) for name in expected}
    found = Counter(
        name.removesuffix(end)
        for name in file.tensors.keys() - expected.keys()
        for end in [_known_end(name, expected) or _known_end(name, tower)]
        if end
    )
    prefixes = sorted(p for p, count in found.items() if 2 * count > len(tower) and p != _TOWER)
    if not prefixes:
        return ""
    inside = f"{file.nest}.{prefixes[0]}" if file.nest else prefixes[0]
    return (
        f"; it has such names under {shortened_list(prefixes)}: give "
        f"{file.path}:{inside.removesuffix('.')} for those"
    )


def _known_end(name: str, known: Container[str]) -> str:
    """Return the longest end of a name, whole parts without the first ones, that is known."""
    while "." in name:
        name = name.partition(".")[2]
        if name in known:
            return name
    return ""


def require_same_model(file: WeightFile, identity: Mapping[str, str]) -> None:
    """Raise WeightsError where cfft wrote other facts into the file than `identity` holds."""
    problems = contradictions(file.identity, identity) if file.identity else []
    if problems:
        raise WeightsError(
            f"{file.path}: weights of another model: {'; '.join(problems)}; "
            "use the model that they were trained with"
        )


def contradictions(theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[str]:
    """Name each fact that differs, as '<fact> is <theirs>, not <ours>'."""
    facts = dict.fromkeys([*theirs, *ours])
    return [
        f"{fact} is {theirs.get(fact, 'not given')}, not {ours.get(fact, 'not given')}"
        for fact in facts
        if theirs.get(fact) != ours.get(fact)
    ]


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """Return a SHA-256 of names and values."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        plain = weights[name].detach().to("cpu").contiguous()
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
