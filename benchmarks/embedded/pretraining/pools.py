"""Pools of object layers and backgrounds, drawn once and kept beside the checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import attrs
import numpy as np

from cfft_suites.shapes.dice import Dice
from cfft_suites.shapes.layers import draw_layer
from cfft_suites.shapes.raster import Bytes, PoseRange
from cfft_suites.shapes.scenes import FAMILIES, draw_scene
from cfft_suites.shapes.things import THINGS

STREAM = "cfft-mini-1"
STYLES = (
    ("photo",) * 10
    + ("cartoon", "flat", "stencil", "inverted", "mosaic", "mosaic")
    + ("sketch",) * 3
)
POSES = PoseRange(turn=50, scale=(0.5, 1.0), stretch=0.18, upside_down=0.08, hidden=0.25)

T = TypeVar("T")


@attrs.frozen(eq=False)
class Pools:
    """Hold everything that pre-training images are put together from.

    `objects`: [N, 64, 64, 4], the fourth channel is the mask (0 or 255). `scenes`: [M, 64, 64, 3].
    The others name, by index, what an object or a scene shows.
    """

    objects: Bytes
    scenes: Bytes
    things: tuple[str, ...]
    styles: tuple[str, ...]
    colours: tuple[str, ...]
    families: tuple[str, ...]


def open_pools(folder: Path, objects: int, scenes: int, processes: int) -> Pools:
    """Return the pools in `folder`, drawn first where they are missing."""
    file = folder / f"pools-{STREAM}-{objects}-{scenes}.npz"
    if not file.exists():
        _draw(file, objects, scenes, processes)
    with np.load(file) as stored:
        names = {
            key: tuple(stored[key].tolist()) for key in ("things", "styles", "colours", "families")
        }
        return Pools(stored["objects"], stored["scenes"], **names)


def _draw(file: Path, objects: int, scenes: int, processes: int) -> None:
    layers = _in_parallel(_object, objects, processes)
    views = _in_parallel(_scene, scenes, processes)
    pixels, things, styles, colours = zip(*layers, strict=True)
    images, families = zip(*views, strict=True)
    partial = file.with_suffix(".partial.npz")
    np.savez(
        partial,
        objects=np.stack(pixels),
        scenes=np.stack(images),
        things=things,
        styles=styles,
        colours=colours,
        families=families,
    )
    partial.replace(file)


def _in_parallel(draw: Callable[[int], T], count: int, processes: int) -> Sequence[T]:
    with get_context("spawn").Pool(processes) as pool:
        return pool.map(draw, range(count), chunksize=200)


def _object(index: int) -> tuple[Bytes, str, str, str]:
    dice = Dice(STREAM, "object", index)
    thing, style = tuple(THINGS)[index % len(THINGS)], dice.pick(STYLES)
    layer = draw_layer(thing, style, POSES, dice)
    mask = layer.mask[..., None].astype(np.uint8) * np.uint8(255)
    return np.concatenate([layer.pixels, mask], axis=-1), thing, style, layer.colour


def _scene(index: int) -> tuple[Bytes, str]:
    family = tuple(FAMILIES)[index % len(FAMILIES)]
    return draw_scene(family, Dice(STREAM, "scene", index)), family
