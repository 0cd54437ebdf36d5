"""The head of an exported model, as a file that every format has beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cfft.encoder.encoder import Head
from cfft.errors import WeightsError

HEAD = "head.safetensors"
_CLASSES, _NORMALISED = "classes", "normalised"


def write_head(folder: Path, head: Head, classes: Sequence[str]) -> None:
    """Write `weight` [K, D] and `bias` [K], float32, and in the metadata what belongs to them.

    `classes`: a JSON list of K names; `normalised`: "true" where features are brought to L2 norm 1
    before they are multiplied, else "false".
    """
    metadata = {_CLASSES: json.dumps([*classes]), _NORMALISED: str(head.normalised).lower()}
    tensors = {"weight": head.weight, "bias": head.bias}
    plain = {name: tensor.detach().cpu().float().contiguous() for name, tensor in tensors.items()}
    save_file(plain, folder / HEAD, metadata)


def read_head(folder: Path) -> Head:
    """Return the head that lies in the folder of an exported model; raises WeightsError."""
    path = folder / HEAD
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: no head that cfft wrote ({error})") from error
    return Head(weight, bias, metadata.get(_NORMALISED) == "true")
