"""Read weight files without running what is in them, and say where they do not fit."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
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

if TYPE_CHECKING:
    from cfft.model.description import ModelDescription

IDENTITY_KEY = "cfft.identity"
_NESTED = ("state_dict", "model")
# safetensors' words for a file that is cut off
_CUT_OFF = ("header too small", "invalid header length", "incomplete metadata")


@attrs.frozen(eq=False)
class WeightFile:
    """Hold the tensors of a file by name.

    `identity`: the facts about the architecture that cfft wrote with them, empty in other files.
    `description`: the model that they belong to, None where no file beside them says it.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    identity: Mapping[str, str] = attrs.field(factory=dict)
    description: ModelDescription | None = None


def read_weight_file(path: Path) -> WeightFile:
    """Read a file to the CPU, as `read_weights` does; raises WeightsError."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such weight file")
    if path.suffix == ".safetensors":
        file = _read_safetensors(path)
    else:
        file = WeightFile(path, _tensors(_unpickle(path), path))
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
    if path.suffix != ".safetensors":
        return {}
    with _readable(path):
        return _identity(path)


def _read_safetensors(path: Path) -> WeightFile:
    with _readable(path):
        tensors, identity = load_file(path), _identity(path)
    return WeightFile(path, _tensors(tensors, path), identity)


def _identity(path: Path) -> Mapping[str, str]:
    with safe_open(path, framework="pt") as file:
        identity = json.loads((file.metadata() or {}).get(IDENTITY_KEY, "{}"))
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
        told = "incomplete download or copy: fetch it again" if is_cut_off else reason
        raise WeightsError(f"{path}: {told}") from error


def _unpickle(path: Path) -> Any:
    if _is_torchscript(path):
        raise WeightsError(
            f"{path}: a TorchScript archive, which cfft does not run; name OpenAI's weights by tag "
            "(--pretrained openai), or save its tensors first: "
            "torch.save(torch.jit.load(PATH, map_location='cpu').state_dict(), 'weights.pt')"
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path}: {_why_not_unpickled(str(error))}") from error
    except (RuntimeError, EOFError, ValueError, OSError, KeyError) as error:
        reason = str(error).split("\n")[0] if isinstance(error, (RuntimeError, OSError)) else ""
        told = reason or "empty, damaged, or of another program"
        raise WeightsError(f"{path}: not a readable PyTorch file ({told})") from error


def _why_not_unpickled(message: str) -> str:
    forbidden = re.search(r"GLOBAL (\S+)", message)
    if forbidden is None:
        return "not a readable PyTorch file (damaged, or of another program)"
    return (
        f"holds {forbidden[1]} beside tensors, so reading it could run code; if you trust it, save "
        "its tensors alone: safetensors.torch.save_file(state_dict, 'weights.safetensors')"
    )


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    for key in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path}: holds no state dict of named tensors")
    odd = [
        str(key)
        for key, value in content.items()
        if not (isinstance(key, str) and isinstance(value, Tensor))
    ]
    if odd:
        raise WeightsError(
            f"{path}: holds no state dict: {shortened_list(odd)} are not named tensors"
        )
    wrapped = all(key.startswith("module.") for key in content)
    return {key.removeprefix("module.") if wrapped else key: content[key] for key in content}


def require_weights_fit(expected: Mapping[str, Tensor], file: WeightFile, model: str) -> None:
    """Raise WeightsError unless `file` has exactly the names and shapes of `expected`.

    `model` is how the user named the model; the message gives a few culprits of each sort.
    """
    problems = differences(expected, file.tensors)
    if problems:
        raise WeightsError(f"{file.path}: weights of another model than {model}: {problems}")


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
