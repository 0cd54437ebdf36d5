"""Facts that are stored with a timm model's weights."""

from __future__ import annotations

from math import floor
from typing import Any

import cfft
from cfft_backbones.shared import numbers, sizes, three


def preprocessing(model: Any, name: str, size: int | None = None) -> cfft.Preprocessing:
    """Return how timm prepares images for evaluation; raises ConfigError if not by centre crop.

    The short side becomes floor(crop / crop share), as timm has it. `size`: of the crop where it is
    not that of the name.
    """
    from timm.data import resolve_model_data_config

    facts = resolve_model_data_config(model, {"img_size": size})
    if facts["crop_mode"] != "center":
        raise cfft.ConfigError(
            f"model 'timm:{name}' crops images by '{facts['crop_mode']}', which cfft does not "
            "have; it resizes the short side and crops the centre ('center')"
        )
    _, height, width = facts["input_size"]
    return cfft.Preprocessing(
        size=(height, width),
        resize=floor(max(height, width) / facts["crop_pct"]),
        interpolation=facts["interpolation"],
        mean=three(facts["mean"]),
        std=three(facts["std"]),
    )


def identity(encoder: cfft.Encoder, prepared: cfft.Preprocessing) -> dict[str, str]:
    """Return the facts that two weight files must share, whatever tag they came from."""
    tower: Any = encoder.tower
    block = tower.blocks[0]
    return {
        "library": "timm",
        "activation": type(block.mlp.act).__name__,
        "width": str(tower.embed_dim),
        "layers": str(len(tower.blocks)),
        "heads": str(block.attn.num_heads),
        "patch": sizes(encoder.patch),
        "image": sizes(prepared.size),
        "features": str(encoder.dim),
        "norm": f"{type(block.norm1).__name__}, eps {block.norm1.eps:g}",
        "mean": numbers(prepared.mean),
        "std": numbers(prepared.std),
    }
