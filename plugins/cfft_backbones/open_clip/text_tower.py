"""The text tower of an open_clip model as a module of its own; torch comes with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor, nn

import cfft

_PROMPTS_AT_ONCE = 256
_TOKENISED_PROMPTS = 65536
_WORD = re.compile("([a-z]+)</w>")


class TextTower(nn.Module):
    """Turn prompts into features, in the graph and on the device of the parameters.

    `text` is the tower, with open_clip's names, and `logit_scale` the learnt logarithm of CLIP's
    factor. Copies share the tokenizer. A bias on similarities, as in SigLIP, is left out.
    """

    def __init__(self, model: Any, tokens: Tokens) -> None:
        super().__init__()
        self.logit_scale: nn.Parameter = model.logit_scale
        self.text = _tower(model)
        self.tokens = tokens

    @property
    def words(self) -> tuple[str, ...]:
        """Words that are one token each."""
        return self.tokens.words

    def forward(self, prompts: Sequence[str]) -> Tensor:
        """Return features [n, D] of n prompts, un-normalised; long lists go in parts.

        Prompts that are too long for the tower are cut. Raises ConfigError where the tower knows
        other tokens than open_clip's.
        """
        tokens = self.tokens(prompts)  # [n, context length]
        tokens = tokens.to(self.logit_scale.device, non_blocking=True)
        encode = getattr(self.text, "encode_text", self.text)
        return torch.cat([encode(part) for part in tokens.split(_PROMPTS_AT_ONCE)])


class Tokens:
    """Turn prompts into tokens, each once; it is the same in all copies of a tower."""

    def __init__(self, tokenizer: Any, vocabulary: int, label: str) -> None:
        self._tokenizer, self._vocabulary, self._label = tokenizer, vocabulary, label
        self._row = lru_cache(_TOKENISED_PROMPTS)(self._tokenised)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tokens:
        return self

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return [n, context length], int64, on the CPU."""
        return torch.stack([self._row(prompt) for prompt in prompts]).long()

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words of the letters a to z that are one token each, in the tokenizer's order."""
        found = map(_WORD.fullmatch, self._tokenizer.encoder)
        return tuple(match[1] for match in found if match)

    def _tokenised(self, prompt: str) -> Tensor:
        tokens: Tensor = self._tokenizer([prompt])[0]
        if int(tokens.max()) >= self._vocabulary:
            raise cfft.ConfigError(
                f"the text tower of {self._label} knows {self._vocabulary} tokens, open_clip's "
                f"tokenizer has {self._tokenizer.vocab_size}; use another head (--head "
                "linear-probe), and no task or loss that reads prompts"
            )
        return tokens.int()  # half of the memory


def _tower(model: Any) -> nn.Module:
    """Take the text tower out of `model`, a CustomTextCLIP or a CLIP, which is used up."""
    if hasattr(model, "text"):
        text: nn.Module = model.text
        return text
    del model.visual, model.logit_scale
    model.logit_bias = None
    tower: nn.Module = model
    return tower
