"""The architecture of cfft-mini and its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file
from torch import Tensor

MODEL = {
    "embed_dim": 64,
    "quick_gelu": False,
    "vision_cfg": {"image_size": 64, "patch_size": 8, "width": 192, "layers": 5, "head_width": 32},
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 3},
}
MEAN = STD = (0.5, 0.5, 0.5)


def new_model(seed: int) -> Any:
    """Return open_clip's model of this architecture with random values."""
    torch.manual_seed(seed)
    vision = {**MODEL["vision_cfg"], "patch_dropout": 0.5}
    return open_clip.CLIP(**{**MODEL, "vision_cfg": vision})


def tokenizer() -> Any:
    """Return open_clip's own tokenizer, cut to the context length."""
    return open_clip.tokenizer.SimpleTokenizer(context_length=MODEL["text_cfg"]["context_length"])


def normalised(images: Tensor) -> Tensor:
    """Return images of 0..1 as the model sees them."""
    return (images - MEAN[0]) / STD[0]


def export(model: Any, folder: Path) -> None:
    """Write config and float16 weights in open_clip's `local-dir:` layout."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {key: value.detach().half().contiguous() for key, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    config = {"model_cfg": MODEL, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
