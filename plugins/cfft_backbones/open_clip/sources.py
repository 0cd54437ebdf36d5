"""Sources of open_clip weights: a tag, a local file, or the folder of the model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

import cfft
from cfft_backbones.hub import fetch
from cfft_backbones.open_clip import layouts
from cfft_backbones.open_clip.configs import WEIGHT_NAMES, Architecture, local_weights
from cfft_backbones.shared import looks_like_path

_QUICK = "-quickgelu"
_PREPROCESS = ("mean", "std", "interpolation", "resize_mode")


@attrs.frozen(eq=False)
class WeightSource:
    """Name weights before they are loaded.

    `read`: download what is not here yet, and read it. `quick_gelu`: the activation that the
    weights were trained with, None where it is unknown. `is_tag`: whether open_clip vouches for
    it. `preprocess`: mean, std and the like as open_clip's configs have them.
    """

    label: str
    read: Callable[[], cfft.WeightFile]
    quick_gelu: bool | None = None
    is_tag: bool = False
    preprocess: Mapping[str, Any] = attrs.field(factory=dict)


def locate(architecture: Architecture, weights: str | None) -> WeightSource | None:
    """Return where `weights` (a tag or a path) come from; None stands for random values.

    Without `weights`, a folder or hub name gives its own. Raises ConfigError for an unknown tag,
    WeightsError for a missing file.
    """
    if weights is None:
        return _own_source(architecture) if architecture.own_weights else None
    tag = weights.lower().replace("-", "_")
    if tag in architecture.tags:
        return _tag_source(architecture, tag)
    if looks_like_path(weights):
        return _file_source(Path(weights))
    message = cfft.unknown_name(
        f"weights of {architecture.label}", weights, architecture.tags, "tags"
    )
    raise cfft.ConfigError(f"{message}; or a path to a weight file")


def settle_activation(
    architecture: Architecture, source: WeightSource | None, asked: bool | None
) -> bool:
    """Return whether the model is to be built with QuickGELU.

    `asked` is what the user said, None for nothing. A tag goes before the architecture; for a
    file the user goes before what its layout tells. Raises WeightsError on a contradiction.
    """
    needed = source.quick_gelu if source else None
    if source is None or needed is None:
        return architecture.quick_gelu if asked is None else asked
    if source.is_tag and asked is None:
        return needed
    chosen = architecture.quick_gelu if asked is None else asked
    user_decides = asked is not None and not source.is_tag
    if chosen != needed and not user_decides:
        raise cfft.WeightsError(_contradiction(architecture, source.label, needed))
    return chosen


def _own_source(architecture: Architecture) -> WeightSource:
    place, _, rest = (architecture.own_weights or "").partition(":")
    if place == "local-dir":
        return _file_source(local_weights(Path(rest)))
    return WeightSource(
        architecture.label,
        lambda: cfft.read_weights(fetch(rest, WEIGHT_NAMES, f"weights of {architecture.label}")),
    )


def _tag_source(architecture: Architecture, tag: str) -> WeightSource:
    facts = architecture.tags[tag]
    repo, name = os.path.split(facts["hf_hub"])
    asked = f"weights '{tag}' of {architecture.label}"
    return WeightSource(
        asked,
        lambda: cfft.read_weights(fetch(repo, [name] if name else WEIGHT_NAMES, asked)),
        quick_gelu=facts.get("quick_gelu", architecture.quick_gelu),
        is_tag=True,
        preprocess={key: facts[key] for key in _PREPROCESS if key in facts},
    )


def _file_source(path: Path) -> WeightSource:
    file = cfft.read_weights(path)
    return WeightSource(str(path), lambda: file, quick_gelu=_activation_of(file))


def _activation_of(file: cfft.WeightFile) -> bool | None:
    layout = layouts.detect(file.tensors)
    if layout == "openai":
        return True
    return _hidden_act(file.path.parent / "config.json") if layout == "huggingface" else None


def _hidden_act(config: Path) -> bool | None:
    """Read the activation from the config that Hugging Face stores beside its weights."""
    if not config.is_file():
        return None
    try:
        facts = json.loads(cfft.read_text_file(config))
        if not facts.keys() & {"vision_config", "model_type"}:
            return None  # a config of something else
        vision = facts.get("vision_config") or facts
        return bool(vision.get("hidden_act", "quick_gelu") == "quick_gelu")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise cfft.WeightsError(f"{config}: no Hugging Face model config ({error})") from error


def _contradiction(architecture: Architecture, weights: str, quick_gelu: bool) -> str:
    needed, other = ("QuickGELU", "GELU") if quick_gelu else ("GELU", "QuickGELU")
    model = _twin(architecture.label, quick_gelu)
    twin = f"the model '{model}' or " if model else ""
    return (
        f"{weights} need the activation {needed}, but {other} is set; use {twin}"
        f"--backbone.open_clip.quick_gelu {str(quick_gelu).lower()}"
    )


def _twin(label: str, quick_gelu: bool) -> str | None:
    """Return open_clip's model that differs in its activation alone, None where it has none."""
    import open_clip

    name = f"{label}{_QUICK}" if quick_gelu else label.removesuffix(_QUICK)
    return name if name != label and name in open_clip.list_models() else None
