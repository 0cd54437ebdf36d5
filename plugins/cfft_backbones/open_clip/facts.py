"""Facts that are stored with an open_clip model's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cfft
from cfft_backbones.shared import numbers, pair, sizes, three

if TYPE_CHECKING:
    from cfft_backbones.open_clip.configs import Architecture


def preprocessing(architecture: Architecture, tower: Any) -> cfft.Preprocessing:
    """Return how images are prepared for `tower`; what no config says is as OpenAI had it.

    Raises ConfigError for models that squash images instead of cropping them, and for a
    deviation of 0.
    """
    from open_clip.transform import PreprocessCfg

    asked = architecture.preprocess
    usual = PreprocessCfg()
    mode = asked.get("resize_mode", usual.resize_mode)
    if mode != "shortest":
        raise cfft.ConfigError(
            f"model '{architecture.label}' prepares images by resize_mode '{mode}', which cfft "
            "does not have; it resizes the short side and crops the centre ('shortest')"
        )
    std = three(asked.get("std", usual.std))
    if min(std) <= 0:
        raise cfft.ConfigError(f"std of '{architecture.label}' is {std}; allowed: above 0")
    size = pair(tower.image_size)
    return cfft.Preprocessing(
        size=size,
        resize=max(size),
        interpolation=asked.get("interpolation", usual.interpolation),
        mean=three(asked.get("mean", usual.mean)),
        std=std,
    )


def identity(
    architecture: Architecture, encoder: cfft.Encoder, prepared: cfft.Preprocessing
) -> dict[str, str]:
    """Return the facts that two weight files must share, whatever name they were asked by."""
    tower: Any = encoder.tower
    transformer = tower.transformer
    norm = tower.ln_post
    return {
        "library": "open_clip",
        "activation": "QuickGELU" if architecture.quick_gelu else "GELU",
        "width": str(transformer.width),
        "layers": str(transformer.layers),
        "heads": str(transformer.resblocks[0].attn.num_heads),
        "patch": sizes(encoder.patch),
        "image": sizes(prepared.size),
        "features": str(encoder.dim),
        "norm": f"{type(norm).__name__}, eps {norm.eps:g}",
        "mean": numbers(prepared.mean),
        "std": numbers(prepared.std),
    }
