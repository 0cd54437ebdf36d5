"""Find the architecture behind a name: open_clip's own, a file, a folder or a hub repository."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from types import NoneType
from typing import Any

import attrs

import cfft
from cfft_backbones.hub import fetch
from cfft_backbones.open_clip.shipped import shipped_models
from cfft_backbones.positions import check_size
from cfft_backbones.shared import pair

WEIGHT_NAMES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_CONFIG_NAME = "open_clip_config.json"
_IMAGE_SIZE = 224  # open_clip's own, where a config says none
_LOCAL, _HUB = "local-dir:", "hf-hub:"


@attrs.frozen
class Architecture:
    """Describe a model before it is built, in the terms of open_clip's own config files.

    `label`: how the user named it. `own_weights`: the folder or hub name that also holds weights.
    `tags`: the weights that open_clip knows by tag. `usual_size`: what its config says of the
    images where another size was asked for, else None.
    """

    label: str
    model: Mapping[str, Any]
    preprocess: Mapping[str, Any] = attrs.field(factory=dict)
    own_weights: str | None = None
    tags: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    usual_size: tuple[int, int] | None = None

    @property
    def quick_gelu(self) -> bool:
        """Tell whether its activation is QuickGELU."""
        return bool(self.model.get("quick_gelu", False))

    @property
    def reads_text(self) -> bool:
        """Tell whether it has a text tower that needs no tokenizer but open_clip's own."""
        text = self.model.get("text_cfg") or {}
        return bool(text) and not (text.get("hf_model_name") or text.get("hf_tokenizer_name"))

    def with_quick_gelu(self, quick_gelu: bool) -> Architecture:
        """Return it with QuickGELU or with GELU."""
        return attrs.evolve(self, model={**self.model, "quick_gelu": quick_gelu})

    def with_image_size(self, size: int | None) -> Architecture:
        """Return it for images of another size; None keeps its own. Raises ConfigError."""
        if size is None:
            return self
        vision = self.model["vision_cfg"]
        if vision.get("patch_size"):  # a tower without patches is refused by its name
            check_size(size, pair(vision["patch_size"]), self.label)
        model = {**self.model, "vision_cfg": {**vision, "image_size": size}}
        usual = pair(vision.get("image_size", _IMAGE_SIZE))
        return attrs.evolve(self, model=model, usual_size=usual)

    def with_preprocess(self, changes: Mapping[str, Any]) -> Architecture:
        """Return it with other preprocessing; what is None stays as it is."""
        given = {key: value for key, value in changes.items() if value is not None}
        return attrs.evolve(self, preprocess={**self.preprocess, **given})

    def vision_only(self) -> str:
        """Return the config as JSON without the text tower, to build the same encoder again."""
        model = {key: self.model[key] for key in ("embed_dim", "quick_gelu", "vision_cfg")}
        config = {"model_cfg": model, "preprocess_cfg": dict(self.preprocess)}
        return json.dumps(config, sort_keys=True)


def find_architecture(name: str) -> Architecture:
    """Return the architecture called `name`.

    `name`: a model that cfft ships, one of open_clip's models, a path to a model config,
    `local-dir:FOLDER`, `hf-hub:OWNER/NAME`, or such a config itself as JSON. Raises ConfigError.
    """
    if name in shipped_models():
        return attrs.evolve(_from_folder(f"{_LOCAL}{shipped_models()[name]}"), label=name)
    if name.startswith("{"):
        return _from_json(name, "the stored architecture")
    if name.startswith(_LOCAL):
        return _from_folder(name)
    if name.startswith(_HUB):
        return _from_hub(name)
    if name.endswith(".json"):
        return _from_json(_text_of(Path(name)), name)
    return _from_library(name)


def local_weights(folder: Path) -> Path:
    """Return the weight file of a folder in open_clip's layout; raises WeightsError."""
    found = [folder / name for name in WEIGHT_NAMES if (folder / name).is_file()]
    if not found:
        names = ", ".join(WEIGHT_NAMES)
        raise cfft.WeightsError(f"{folder} holds none of {names}; give --pretrained PATH")
    return found[0]


def _from_library(name: str) -> Architecture:
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    known = name.replace("/", "-")
    model = open_clip.get_model_config(known) if known in open_clip.list_models() else None
    if model is None:
        allowed = "give a local config FILE.json, or one of"
        raise cfft.ConfigError(
            cfft.unknown_name("model", name, [*shipped_models(), *_usable_models()], allowed)
        )
    tags = open_clip.list_pretrained_tags_by_model(known)
    return Architecture(known, model, tags={t: get_pretrained_cfg(known, t) for t in tags})


def other_tower(model: Mapping[str, Any]) -> str | None:
    """Name the image tower of a model config where it is no plain vision transformer."""
    vision = model["vision_cfg"]
    if isinstance(vision.get("layers"), list):
        return "a ResNet"
    if vision.get("timm_model_name"):
        return str(vision["timm_model_name"])
    return "pooled by attention (CoCa)" if "multimodal_cfg" in model else None


def _usable_models() -> list[str]:
    import open_clip

    models = {name: open_clip.get_model_config(name) for name in open_clip.list_models()}
    return [
        name
        for name, model in models.items()
        if not other_tower(model) and model["vision_cfg"].get("pool_type", "tok") == "tok"
    ]


def _from_folder(name: str) -> Architecture:
    folder = Path(name.removeprefix(_LOCAL))
    found = _from_json(_text_of(folder / _CONFIG_NAME), str(folder / _CONFIG_NAME))
    return attrs.evolve(found, label=name, own_weights=name)


def _from_hub(name: str) -> Architecture:
    path = fetch(name.removeprefix(_HUB), [_CONFIG_NAME], f"model '{name}'")
    return attrs.evolve(_from_json(_text_of(path), name), own_weights=name)


def _text_of(path: Path) -> str:
    try:
        return cfft.read_text_file(path)
    except (OSError, ValueError) as error:
        raise cfft.ConfigError(f"model config {path} cannot be read: {error}") from error


def _from_json(text: str, label: str) -> Architecture:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise cfft.ConfigError(f"model config {label} is not valid JSON: {error}") from error
    model = config.get("model_cfg", config) if isinstance(config, dict) else {}
    if not _is_complete(model):
        raise cfft.ConfigError(
            f"model config {label} lacks embed_dim or vision_cfg; open_clip's own configs have "
            "embed_dim, vision_cfg and, for prompts, text_cfg"
        )
    preprocess = config.get("preprocess_cfg") or {}
    if not isinstance(preprocess, dict):
        raise cfft.ConfigError(f"model config {label}: preprocess_cfg is no JSON object")
    return Architecture(label, deepcopy(model), preprocess)


def _is_complete(model: Any) -> bool:
    return (
        isinstance(model, dict)
        and "embed_dim" in model
        and isinstance(model.get("vision_cfg"), dict)
        and isinstance(model.get("text_cfg", {}), (dict, NoneType))
    )
