"""Encode prompts with open_clip's text tower and its own tokenizer, which needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

import cfft

if TYPE_CHECKING:
    from torch import Tensor

    from cfft_backbones.open_clip.configs import Architecture

_PROMPTS_AT_ONCE = 256


@attrs.frozen(eq=False)
class TextEncoder:
    """Turn prompts into features; holds the text tower, which goes when this goes."""

    model: Any
    tokenizer: Any
    label: str

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return features [n, D] of n prompts, un-normalised, float32, on the CPU.

        It runs on the accelerator where there is one. Prompts that are too long for the tower
        are cut. Raises ConfigError where the tower knows other tokens than open_clip's.
        """
        import torch

        tokens = self.tokenizer(list(prompts))  # [n, context length]
        self._check_vocabulary(int(tokens.max()))
        found = (
            torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        )
        device = found or torch.device("cpu")
        self.model.to(device)
        with torch.no_grad():
            parts = tokens.split(_PROMPTS_AT_ONCE)
            features = [self.model.encode_text(part.to(device)).float().cpu() for part in parts]
        self.model.to("cpu")
        return torch.cat(features)

    def _check_vocabulary(self, largest: int) -> None:
        if largest >= self.model.vocab_size:
            raise cfft.ConfigError(
                f"the text tower of {self.label} knows {self.model.vocab_size} tokens, open_clip's "
                f"tokenizer has {self.tokenizer.vocab_size}; use another head (--head linear-probe)"
            )


def text_parts(model: Any, architecture: Architecture) -> dict[str, Any]:
    """Take the text tower out of `model`, with its scale and the templates that suit CLIP."""
    del model.visual
    return {
        "encode_text": TextEncoder(model, _tokenizer(architecture), architecture.label),
        "logit_scale": float(model.logit_scale.item()),
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
