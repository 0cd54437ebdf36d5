"""Measure cfft-mini zero-shot, as a Markdown table: `python -m benchmarks.embedded.measure`.

The pictures are those of the suite `shapes`; the head is made of OpenAI's 80 templates.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import to_tensor

import cfft
from cfft_backbones import OpenClipBackbone
from cfft_suites.shapes.suite import ShapesSuite


def main() -> None:
    """Print the zero-shot accuracy on the test set and on each OOD set."""
    sets = ShapesSuite().open(seed=0)
    model = OpenClipBackbone().build("cfft-mini", None)
    head = _head(model, sets.classes)
    measured = {pictures.name: _top1(model, head, pictures) for pictures in (sets.test, *sets.ood)}
    measured["OOD average"] = sum(list(measured.values())[1:]) / len(sets.ood)
    print("| set | zero-shot top-1 |\n|---|---|")
    for name, accuracy in measured.items():
        print(f"| {name} | {100 * accuracy:.1f} |")


def _head(model: cfft.Pretrained, classes: Sequence[str]) -> Tensor:
    """Return one L2-normalised row per class: [K, D]."""
    prompts = [template.format(name) for name in classes for template in model.templates["openai"]]
    texts = F.normalize(model.encode_text(prompts), dim=-1).unflatten(0, (len(classes), -1))
    return F.normalize(texts.mean(dim=1), dim=-1)


@torch.no_grad()
def _top1(model: cfft.Pretrained, head: Tensor, pictures: cfft.PictureSet) -> float:
    hits = 0
    for first in range(0, len(pictures), 200):
        indices = range(first, min(first + 200, len(pictures)))
        images = torch.stack([_tensor(pictures, index) for index in indices])
        labels = torch.tensor([pictures.labels[index] for index in indices])
        hits += int((model.encoder(images) @ head.T).argmax(dim=1).eq(labels).sum())
    return hits / len(pictures)


def _tensor(pictures: cfft.PictureSet, index: int) -> Tensor:
    return to_tensor(pictures.read(index))


if __name__ == "__main__":
    main()
