"""Bring weight files of CLIP models into open_clip's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Layout = Literal["open_clip", "openai", "huggingface"]

_OPENAI_EXTRAS = frozenset({"input_resolution", "context_length", "vocab_size"})
_TEXT = ("transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection")

_HUGGINGFACE = (
    ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
    ("vision_model.embeddings.patch_embedding.", "visual.conv1."),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.pre_layrnorm.", "visual.ln_pre."),
    ("vision_model.post_layernorm.", "visual.ln_post."),
    ("vision_model.encoder.layers.", "visual.transformer.resblocks."),
    ("visual_projection.weight", "visual.proj"),
    ("text_model.embeddings.token_embedding.", "token_embedding."),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.final_layer_norm.", "ln_final."),
    ("text_model.encoder.layers.", "transformer.resblocks."),
    ("text_projection.weight", "text_projection"),
    (".layer_norm1.", ".ln_1."),
    (".layer_norm2.", ".ln_2."),
    (".mlp.fc1.", ".mlp.c_fc."),
    (".mlp.fc2.", ".mlp.c_proj."),
    (".self_attn.", ".attn."),
)
# where programs that fine-tune CLIP keep it, with a classifier beside it: WiSE-FT and model soups
_FINE_TUNED = ("image_encoder.model.", "model.")
_CLASSIFIER = "classification_head."
_TRANSPOSED = frozenset({"visual.proj", "text_projection"})


def detect(tensors: Mapping[str, Tensor]) -> Layout:
    """Return the layout of a file: OpenAI's, Hugging Face's, or else open_clip's."""
    if any(key.startswith(("vision_model.", "text_model.")) for key in tensors):
        return "huggingface"
    return "openai" if _OPENAI_EXTRAS & tensors.keys() else "open_clip"


def is_timm(tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether names are those of timm's vision transformers, as cfft stores them or plain."""
    return any(f"{prefix}blocks.0.attn.qkv.weight" in tensors for prefix in ("", "visual."))


def is_clip(tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether names are those of a CLIP model in any layout."""
    towers = ("visual.transformer.resblocks.", "visual.conv1.", "vision_model.")
    return any(key.startswith(towers) for key in tensors)


def to_open_clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename tensors of any layout to those of open_clip's `CLIP`; values keep their dtype.

    The text tower's names come out without `text.`. What a run of cfft stores loses its head.
    Names that no layout has are kept, so that the caller can report them.
    """
    return _CONVERSIONS[detect(tensors)](tensors)


def in_text_module(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Move the text tower's tensors under `text.`, as open_clip's `CustomTextCLIP` has them."""
    return {f"text.{key}" if key.startswith(_TEXT) else key: tensors[key] for key in tensors}


def has_text(tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether tensors in open_clip's names hold any part of a text tower."""
    return any(key.startswith(_TEXT) for key in tensors)


def vision_part(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Keep what is neither of the text tower nor of the comparison with it."""
    others = (*_TEXT, "text.", "logit_")
    return {key: tensors[key] for key in tensors if not key.startswith(others)}


def _from_open_clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tensors = _without_classifier(tensors)
    if "class_embedding" in tensors:  # the tower alone
        return {f"visual.{key}": tensor for key, tensor in tensors.items()}
    kept = {key: tensor for key, tensor in tensors.items() if not key.startswith("head.")}
    clip = {_out_of_text_module(key): tensor for key, tensor in kept.items()}
    return clip if any(key.startswith("transformer.") for key in clip) else _without_rest(clip)


def _without_classifier(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Take CLIP out of what WiSE-FT and model soups store; other names stay as they are."""
    encoder = {key: t for key, t in tensors.items() if not key.startswith(_CLASSIFIER)}
    prefixes = (p for p in _FINE_TUNED if all(key.startswith(p) for key in encoder))
    prefix = next(prefixes, None) if encoder else None
    if prefix is None:
        return encoder or tensors
    return {key.removeprefix(prefix): tensor for key, tensor in encoder.items()}


def _without_rest(clip: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what WiSE-FT keeps of a text tower of which it deletes the transformer."""
    return vision_part(clip) if "token_embedding.weight" in clip else clip


def _out_of_text_module(key: str) -> str:
    bare = key.removeprefix("text.")
    return bare if bare.startswith(_TEXT) else key


def _from_openai(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensors[key] for key in tensors if key not in _OPENAI_EXTRAS}


def _from_huggingface(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed = {
        _renamed(key): tensor
        for key, tensor in tensors.items()
        if not key.endswith(".position_ids")  # a constant that older files carry
    }
    turned = {key: t.T if key in _TRANSPOSED else t for key, t in renamed.items()}
    return _joined_projections(turned)


def _renamed(key: str) -> str:
    for theirs, ours in _HUGGINGFACE:
        key = key.replace(theirs, ours)
    return key


def _joined_projections(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stack the separate query, key and value projections: three of [C, C] make [3 * C, C]."""
    import torch

    joined = dict(tensors)
    for query in [key for key in tensors if ".attn.q_proj." in key]:
        names = [query.replace(".q_proj.", f".{letter}_proj.") for letter in "qkv"]
        if all(name in joined for name in names):
            stacked = torch.cat([joined.pop(name) for name in names])
            joined[query.replace(".q_proj.", ".in_proj_")] = stacked
    return joined


_CONVERSIONS: Mapping[Layout, Callable[[Mapping[str, Tensor]], dict[str, Tensor]]] = {
    "open_clip": _from_open_clip,
    "openai": _from_openai,
    "huggingface": _from_huggingface,
}
