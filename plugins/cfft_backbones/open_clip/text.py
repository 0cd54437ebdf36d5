"""Encode prompts with open_clip's text tower and its own tokenizer, which needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from torch import Tensor

    from cfft_backbones.open_clip.configs import Architecture
    from cfft_backbones.open_clip.text_tower import TextTower


@attrs.frozen(eq=False)
class TextEncoder:
    """Turn prompts into features for heads; holds the text tower, which goes when this goes."""

    tower: TextTower

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return features [n, D] of n prompts, un-normalised, float32, on the CPU.

        It runs on the accelerator where there is one, and goes back to where it was. Prompts that
        are too long for the tower are cut. Raises ConfigError where the tower knows other tokens
        than open_clip's.
        """
        import torch

        self.tower.tokens(prompts[:1])  # raises before anything is moved
        before = self.tower.logit_scale.device
        found = (
            torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        )
        self.tower.to(found or before)
        with torch.no_grad():
            features: Tensor = self.tower(prompts).float().cpu()
        self.tower.to(before)
        return features


def text_parts(model: Any, architecture: Architecture) -> dict[str, Any]:
    """Take the text tower out of `model`, with its scale and the templates that suit CLIP."""
    from cfft_backbones.open_clip.text_tower import TextTower, Tokens

    tokens = Tokens(_tokenizer(architecture), model.vocab_size, architecture.label)
    tower = TextTower(model, tokens)
    return {
        "encode_text": TextEncoder(tower),
        "text": tower,
        "logit_scale": float(tower.logit_scale.item()),
        "templates": _templates(),
    }


def _tokenizer(architecture: Architecture) -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    text = architecture.model["text_cfg"]
    settings = text.get("tokenizer_kwargs") or {}
    return SimpleTokenizer(context_length=text.get("context_length", 77), **settings)


def _templates() -> dict[str, list[str]]:
    import open_clip

    named = {
        "openai": open_clip.OPENAI_IMAGENET_TEMPLATES,
        "simple": open_clip.SIMPLE_IMAGENET_TEMPLATES,
    }
    return {name: [fill("{}") for fill in templates] for name, templates in named.items()}
