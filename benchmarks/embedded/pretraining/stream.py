"""The stream of pre-training images: pools put together anew in every step."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F

from cfft_suites.shapes.dice import Dice

from .captions import Facts, caption, mistaken
from .pools import STREAM, Pools

_PLAIN = frozenset({"plain", "fog", "paper"})
_COARSE = frozenset({"flat", "cartoon", "stencil"})


@attrs.frozen(eq=False)
class Pairs:
    """Hold `images` [B, 3, 64, 64] in 0..1 and two captions for each."""

    images: Tensor
    captions: Sequence[str]
    names: Sequence[str]


@attrs.frozen
class Difficulty:
    """Say how hard a step is; all shares grow from the first steps to the last.

    `wrong`: share of captions that name another thing. `plain`: share of images with an empty
    background beyond those that have one by chance. `noise`: largest deviation, in 0..1.
    """

    wrong: float
    plain: float
    noise: float


class Stream:
    """Put objects and backgrounds together without regard to each other.

    Every draw of a step comes from (seed, step) alone, so that a resumed run goes on exactly.
    """

    def __init__(self, pools: Pools, templates: Sequence[str], seed: int) -> None:
        self.pools, self.templates, self.seed = pools, list(templates), seed
        self._objects, self._scenes = (
            torch.from_numpy(pools.objects),
            torch.from_numpy(pools.scenes),
        )
        self._plain = _indices(family in _PLAIN for family in pools.families)
        self._paper = _indices(family == "paper" for family in pools.families)

    def draw(self, step: int, size: int, difficulty: Difficulty) -> Pairs:
        """Return the pairs of one step."""
        dice = Dice(STREAM, self.seed, step)
        rng = torch.Generator().manual_seed(dice.whole(0, 2**40))
        chosen = torch.randint(len(self._objects), (size,), generator=rng)
        styles = [self.pools.styles[index] for index in chosen.tolist()]
        scenes = self._pick_scenes(styles, difficulty.plain, rng)
        images = self._images(chosen, scenes, styles, difficulty.noise, rng)
        facts = [
            mistaken(self._facts(*pair), difficulty.wrong, dice)
            for pair in zip(chosen.tolist(), scenes.tolist(), strict=True)
        ]
        return Pairs(
            images,
            [caption(fact, self.templates, dice) for fact in facts],
            [dice.pick(self.templates).format(fact.thing) for fact in facts],
        )

    def _facts(self, chosen: int, scene: int) -> Facts:
        pools = self.pools
        return Facts(
            pools.things[chosen], pools.styles[chosen], pools.colours[chosen], pools.families[scene]
        )

    def _pick_scenes(self, styles: Sequence[str], plain: float, rng: torch.Generator) -> Tensor:
        size = len(styles)
        anywhere = torch.randint(len(self._scenes), (size,), generator=rng)
        empty = self._plain[torch.randint(len(self._plain), (size,), generator=rng)]
        paper = self._paper[torch.randint(len(self._paper), (size,), generator=rng)]
        scenes = torch.where(torch.rand(size, generator=rng) < plain, empty, anywhere)
        on_paper = _flags(styles, {"sketch"}) & (torch.rand(size, generator=rng) < 0.8)
        return torch.where(on_paper, paper, scenes)

    def _images(
        self,
        chosen: Tensor,
        scenes: Tensor,
        styles: Sequence[str],
        noise: float,
        rng: torch.Generator,
    ) -> Tensor:
        layers = _moved(self._objects[chosen].permute(0, 3, 1, 2).float() / 255, rng)
        views = self._scenes[scenes].permute(0, 3, 1, 2).float() / 255
        views = _restyled(_flipped(views, rng), styles)
        images = torch.where(layers[:, 3:] > 0.5, layers[:, :3], views)
        size = (len(chosen), 1, 1, 1)
        light = 0.85 + 0.3 * torch.rand(size, generator=rng)
        strength = noise * torch.rand(size, generator=rng)
        return (images * light + strength * torch.randn(images.shape, generator=rng)).clamp(0, 1)


def _indices(flags: Sequence[bool]) -> Tensor:
    return torch.tensor(list(flags)).nonzero()[:, 0]


def _flags(styles: Sequence[str], wanted: set[str] | frozenset[str]) -> Tensor:
    return torch.tensor([style in wanted for style in styles])


def _flipped(images: Tensor, rng: torch.Generator) -> Tensor:
    flip = torch.rand(len(images), generator=rng) < 0.5
    return torch.where(flip[:, None, None, None], images.flip(-1), images)


def _moved(layers: Tensor, rng: torch.Generator) -> Tensor:
    """Turn, zoom, move and mirror each layer a little: [B, 4, 64, 64]; what is new is empty."""
    size = len(layers)
    angle, zoom, mirror, dx, dy = torch.rand(5, size, generator=rng)
    angle, zoom, dx, dy = (angle - 0.5) * 0.4, 0.92 + 0.2 * zoom, (dx - 0.5) * 0.2, (dy - 0.5) * 0.2
    side = torch.where(mirror < 0.5, 1.0, -1.0)
    c, s = angle.cos() * zoom, angle.sin() * zoom
    matrix = torch.stack([c * side, -s, dx, s * side, c, dy], dim=1).view(size, 2, 3)
    grid = F.affine_grid(matrix, list(layers.shape), align_corners=False)
    return F.grid_sample(layers, grid, mode="nearest", align_corners=False)


def _restyled(views: Tensor, styles: Sequence[str]) -> Tensor:
    coarse, inverted, mosaic = (
        _flags(styles, wanted)[:, None, None, None]
        for wanted in (_COARSE, {"inverted"}, {"mosaic"})
    )
    centres = torch.arange(views.shape[-1]) // 3 * 3
    views = torch.where(coarse, (views * 4).floor().clamp(max=3) / 4 + 0.125, views)
    views = torch.where(mosaic, views[:, :, centres][..., centres], views)
    return torch.where(inverted, 1 - views, views)
