"""Tiny models, images and views: a step on them takes milliseconds."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import attrs
import torch
from torch import Tensor

from cfft.encoder.encoder import Capture, Classifier, Encoder, Head
from cfft.encoder.towers import open_clip_tower
from cfft.records import Batch, Encoded, Preprocessing
from cfft.runtime.randomness import generator
from cfft.step.interfaces import Cam
from cfft.step.text import TextSide

PATCH = 4
"""Height and width of a tiny model's patches in pixels, unless another is asked for."""


def tiny_classifier(
    grid: tuple[int, int] = (2, 3),
    width: int = 16,
    layers: int = 2,
    classes: int = 3,
    seed: int = 0,
    patch: int = PATCH,
) -> Classifier:
    """Build a small vision transformer with random values of `seed`, on the CPU.

    It reads images [B, 3, patch * gh, patch * gw] and has two attention heads and 8 features; its
    head acts on L2-normalised features. `width` is even. The global generator is left alone.
    """
    size = (grid[0] * patch, grid[1] * patch)
    preprocessing = Preprocessing(size, min(size), "bicubic", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tower = open_clip_tower(
            size=size, patch=(patch, patch), width=width, layers=layers, heads=2, dim=8
        )
        head = Head(torch.randn(classes, 8), torch.zeros(classes), normalised=True)
    return Classifier(Encoder(tower, preprocessing), head)


def tiny_batch(
    size: int = 3,
    grid: tuple[int, int] = (2, 3),
    classes: int = 3,
    seed: int = 0,
    patch: int = PATCH,
) -> Batch:
    """Draw noise images for a `tiny_classifier` of that grid, with labels 0, 1, 2, 0, ..."""
    pixels = (size, 3, grid[0] * patch, grid[1] * patch)
    images = torch.rand(pixels, generator=generator(seed, "order"))
    return Batch(images, torch.arange(size) % classes)


class TinyText(torch.nn.Module):
    """A text tower for a `tiny_classifier`: features of prompts by their letters.

    `forward` takes n prompts and returns features [n, 8], un-normalised, in the graph. Its values
    are those of `seed`; it names no `words`.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        values = torch.randn(256, 8, generator=generator(seed, "text"))
        self.letters = torch.nn.Parameter(values)
        self.logit_scale = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, prompts: Sequence[str]) -> Tensor:
        """Return the mean over the bytes of each prompt, shifted by their places."""
        rows = []
        for prompt in prompts:
            codes = torch.tensor(list(prompt.encode() or b" "))
            codes = codes.to(self.letters.device, non_blocking=True)
            places = torch.linspace(1, 2, len(codes), device=self.letters.device)
            rows.append((self.letters[codes] * places[:, None]).mean(dim=0))
        return torch.stack(rows)


def tiny_text_side(needs: frozenset[str], seed: int = 0) -> TextSide:
    """Build the text towers of a step for three classes and two templates, an average included.

    `needs`: what a term looks at, as in AuxLoss; the towers of others are missing.
    """
    side = TextSide(TinyText(seed), ("cat", "dog", "cow"), ("a photo of a {}.", "{}"), needs)
    side.averaged = TinyText(seed + 1).requires_grad_(False) if "average.text" in needs else None
    return side


@attrs.frozen
class TinySource:
    """Give teachers tiny models of one architecture: a ModelSource without files.

    Every path stands for another model; no file has to exist.
    """

    grid: tuple[int, int] = (2, 3)

    def pretrained(self) -> Classifier:
        """Return a new model with the values of seed 0."""
        return tiny_classifier(self.grid)

    def load(self, path: Path) -> Classifier:
        """Return a new model with values that follow from the path's text."""
        return tiny_classifier(self.grid, seed=zlib.crc32(str(path).encode()))


@attrs.frozen(eq=False)
class FixedView:
    """Offer a mask the given scores [B, gh, gw], whichever map of whichever model it asks for.

    There is no student: `capture` and `clean` raise ValueError. Every reading of `rng` gives a
    fresh generator of the same `seed`.
    """

    fixed: Tensor
    seed: int = 0

    @property
    def grid(self) -> tuple[int, int]:
        return self.fixed.shape[1], self.fixed.shape[2]

    @property
    def rng(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    @property
    def capture(self) -> Capture:
        raise ValueError("a FixedView has no capture: make a CleanPass of a tiny_classifier()")

    @property
    def clean(self) -> Encoded:
        raise ValueError("a FixedView has no outputs: make a CleanPass of a tiny_classifier()")

    def scores(self, cam: Cam | None = None) -> Tensor:
        return self.fixed

    def teacher(self, label: str) -> FixedView:
        return self
