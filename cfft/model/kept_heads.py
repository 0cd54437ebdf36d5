"""Zero-shot heads of many prompts, kept in the user's cache directory for the next run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cfft.model.weights import weights_digest
from cfft.runtime.caches import cache_folder
from cfft.runtime.files import replacing

FEWEST_PROMPTS = 1024
"""Heads of fewer prompts are computed each time: that takes about as long as a digest of the text
tower."""

_WEIGHT, _DIGEST = "weight", "sha256"


def kept_heads_folder() -> Path:
    """Return where heads are kept; whatever lies there can be deleted at any time."""
    return cache_folder("heads")


def kept_head(
    tower: nn.Module,
    facts: Mapping[str, str],
    prompts: Sequence[str],
    compute: Callable[[], Tensor],
) -> Tensor:
    """Return the weight [K, D] that `compute` gives, from the cache where it is there.

    It is kept by the values of the text `tower`, by `facts` of what turns prompts into tokens, by
    the `prompts` themselves, and by what rounding depends on: the kind of device and torch's
    version. A kept file that is damaged is computed again; where nothing can be written, nothing is
    kept. Heads of fewer than FEWEST_PROMPTS prompts are computed.
    """
    if len(prompts) < FEWEST_PROMPTS:
        return compute()
    device = next(tower.parameters()).device
    listed = [sorted(facts.items()), list(prompts), device.type, torch.__version__]
    key = sha256(weights_digest(tower.state_dict()).encode() + json.dumps(listed).encode())
    path = kept_heads_folder() / f"{key.hexdigest()}.safetensors"
    kept = _read(path)
    if kept is not None:
        return kept.to(device)
    weight = compute()
    with suppress(OSError, SafetensorError):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, weight)
    return weight


def _read(path: Path) -> Tensor | None:
    try:
        with safe_open(path, framework="pt") as file:
            weight: Tensor = file.get_tensor(_WEIGHT)
            digest = (file.metadata() or {}).get(_DIGEST)
    except (OSError, SafetensorError):
        return None
    return weight if digest == weights_digest({_WEIGHT: weight}) else None


def _write(path: Path, weight: Tensor) -> None:
    tensors = {_WEIGHT: weight.detach().cpu().contiguous()}
    with replacing(path) as partial:
        save_file(tensors, partial, {_DIGEST: weights_digest(tensors)})
