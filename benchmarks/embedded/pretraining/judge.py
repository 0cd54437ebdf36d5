"""Zero-shot accuracy on the world's own sets, by which the pre-training is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cfft_suites.shapes.world import CLASS_NAMES, RULES, draw_image

from .network import normalised

_SETS = ("val", "resample", "rendition", "sketch", "relocated", "adversarial")


class Judge:
    """Hold images of every set and measure a model on them.

    They come from far behind the indices that the suite uses, so that nothing is chosen on the
    test images; the adversarial ones are not filtered, only unconfounded.
    """

    def __init__(self, per_set: int, tokenize: Any, templates: Sequence[str]) -> None:
        self.tokens = tokenize([t.format(name) for name in CLASS_NAMES for t in templates])
        self.sets = {name: _images(name, per_set) for name in _SETS}

    @torch.no_grad()
    def accuracies(self, model: Any) -> Mapping[str, float]:
        """Return top-1 per set, 0 to 1; the model is left in evaluation mode."""
        model.eval()
        texts = F.normalize(model.encode_text(self.tokens), dim=-1)
        head = texts.view(len(CLASS_NAMES), -1, texts.shape[-1]).mean(dim=1)  # [K, D]
        return {
            name: _top1(model, F.normalize(head, dim=-1), *pair) for name, pair in self.sets.items()
        }


def _top1(model: Any, head: Tensor, images: Tensor, labels: Tensor) -> float:
    features = torch.cat([model.encode_image(normalised(part)) for part in images.split(240)])
    return (features @ head.T).argmax(dim=1).eq(labels).float().mean().item()


def _images(name: str, count: int) -> tuple[Tensor, Tensor]:
    first = 240_000  # a multiple of the number of classes
    drawn = [draw_image(RULES[name], first + index, confounding=0.95) for index in range(count)]
    images = torch.stack([torch.from_numpy(image.pixels) for image in drawn])
    return images.permute(0, 3, 1, 2).float() / 255, torch.tensor([p.label for p in drawn])
