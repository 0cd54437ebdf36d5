"""Build open_clip models and copy weights into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

import cfft
from cfft_backbones.open_clip import layouts
from cfft_backbones.open_clip.configs import other_tower

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cfft_backbones.open_clip.configs import Architecture

# open_clip's CLIP class wants a text tower; this one costs nothing and is thrown away
_NO_TEXT = {"layers": 1, "width": 8, "heads": 1, "vocab_size": 1, "context_length": 1}
_SEED = 0


def build_model(architecture: Architecture) -> Any:
    """Return open_clip's model with random values, the same ones every time, in float32.

    Global randomness is left as it was. Raises WeightsError for towers of other libraries and
    ConfigError for a config that open_clip does not take.
    """
    import open_clip
    import torch

    _refuse_other_towers(architecture)
    config = dict(architecture.model)
    custom = config.pop("custom_text", False) and architecture.reads_text
    config["vision_cfg"] = {**config["vision_cfg"], "patch_dropout": 0.0}
    config["text_cfg"] = config["text_cfg"] if architecture.reads_text else _NO_TEXT
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        try:
            return kind(**config).eval()
        except Exception as error:  # a wrong value surfaces anywhere in open_clip
            raise cfft.ConfigError(
                f"model config {architecture.label} is not one that open_clip takes: {error}"
            ) from error


def load_weights(model: nn.Module, file: cfft.WeightFile, architecture: Architecture) -> bool:
    """Copy a file of any layout into `model`; return whether the text tower got its weights.

    Every tensor of the vision tower has to fit, and of the text tower where the file has one.
    Raises WeightsError.
    """
    tensors = layouts.to_open_clip(file.tensors)
    has_text = architecture.reads_text and layouts.has_text(tensors)
    wanted = model.state_dict()
    if has_text:
        tensors = layouts.in_text_module(tensors) if hasattr(model, "text") else tensors
        tensors = _scalars_like(wanted, tensors)
    else:
        tensors, wanted = layouts.vision_part(tensors), layouts.vision_part(wanted)
    try:
        cfft.require_weights_fit(wanted, attrs.evolve(file, tensors=tensors), architecture.label)
    except cfft.WeightsError as error:
        hint = "; looks like a timm model: use --model timm:NAME"
        raise cfft.WeightsError(
            f"{error}{hint if layouts.is_timm(file.tensors) else ''}"
        ) from error
    model.load_state_dict(tensors, strict=False)
    return has_text


def _refuse_other_towers(architecture: Architecture) -> None:
    other = other_tower(architecture.model)
    if other is not None:
        raise cfft.WeightsError(
            f"model '{architecture.label}' cannot be used: its image tower is {other}, not a plain "
            "vision transformer with a class token; models that work: ViT-B-32, ViT-B-16, "
            "ViT-L-14, ViT-H-14 and their variants"
        )


def _scalars_like(wanted: dict[str, Tensor], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Bring one-element tensors into shape: files hold the scale as [] or as [1]."""
    return {
        key: tensor.reshape(wanted[key].shape)
        if key in wanted and tensor.numel() == wanted[key].numel() == 1
        else tensor
        for key, tensor in tensors.items()
    }
