"""The object layer of an image: its pixels and its exact mask, in one of several styles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, radians, sin

import attrs
import numpy as np
from numpy.typing import NDArray

from .colours import NAMED, Colour, mixed, varied
from .dice import Dice
from .outline import Outline, Tone, fitted
from .raster import SIZE, Bytes, Mask, PoseRange, coverage, line_coverage, occluded, place, tone_map
from .things import THINGS

_SAMPLES = 16
_INK: Colour = (28, 26, 30)


@attrs.frozen(eq=False)
class Layer:
    """Hold an object without a background.

    `pixels`: [64, 64, 3], bytes, meaningful inside the mask. `mask`: [64, 64], True = object;
    there is no half-transparent pixel. `colour`: name of the body's colour.
    """

    pixels: Bytes
    mask: Mask
    colour: str


@attrs.frozen(eq=False)
class _Shape:
    """Hold what every style starts from: samples per tone, samples on lines, the mask."""

    tones: NDArray[np.int32]
    lines: NDArray[np.int32]
    mask: Mask


def draw_layer(thing: str, style: str, poses: PoseRange, dice: Dice) -> Layer:
    """Draw the object `thing` in `style`; KeyError where the world has no such name."""
    shape = _shape(fitted(THINGS[thing](dice)), poses, dice, lined=style in _LINED)
    colour = dice.pick(tuple(NAMED))
    pixels = STYLES[style](shape, NAMED[colour], dice)
    return Layer(pixels, occluded(shape.mask, dice, poses.hidden), colour)


def _shape(outline: Outline, poses: PoseRange, dice: Dice, lined: bool) -> _Shape:
    samples = tone_map(place(outline, poses, dice))
    tones, lines = coverage(samples), line_coverage(samples, dice.whole(3, 4))
    seen = _SAMPLES - tones[..., Tone.HOLE]
    mask = (seen >= _SAMPLES // 2) | ((lines >= _SAMPLES // 2) if lined else False)
    return _Shape(tones, lines, mask)


def _photo(shape: _Shape, body: Colour, dice: Dice) -> Bytes:
    palette = _palette(varied(body, dice, 22), dice)
    pixels = _painted(shape, palette) * _light(dice)[..., None] * _pattern(dice)[..., None]
    rim = 1 - 0.45 * shape.lines / _SAMPLES
    return _bytes(pixels * rim[..., None])


def _flat(shape: _Shape, body: Colour, dice: Dice) -> Bytes:
    return _bytes(_painted(shape, _palette(body, dice)))


def _cartoon(shape: _Shape, body: Colour, dice: Dice) -> Bytes:
    pixels = _painted(shape, _palette(mixed(body, (255, 255, 255), 0.2), dice))
    return _bytes(_inked(pixels, shape, _INK))


def _stencil(shape: _Shape, body: Colour, dice: Dice) -> Bytes:
    second = mixed(body, (255, 255, 255), 0.35)
    return _bytes(_painted(shape, (body, second, body, second)))


def _inverted(shape: _Shape, body: Colour, dice: Dice) -> Bytes:
    return np.subtract(255, _photo(shape, body, dice), dtype=np.uint8)


def _mosaic(shape: _Shape, body: Colour, dice: Dice) -> Bytes:
    return tiled(_bytes(_painted(shape, _palette(body, dice))), dice)


def _sketch(shape: _Shape, body: Colour, dice: Dice) -> Bytes:
    paper = np.broadcast_to(np.array([246.0, 245.0, 242.0]), (SIZE, SIZE, 3))
    return _bytes(_inked(paper, shape, varied((45, 43, 48), dice, 25)))


STYLES: Mapping[str, Callable[[_Shape, Colour, Dice], Bytes]] = {
    "photo": _photo,
    "flat": _flat,
    "cartoon": _cartoon,
    "stencil": _stencil,
    "inverted": _inverted,
    "mosaic": _mosaic,
    "sketch": _sketch,
}
_LINED = frozenset({"cartoon", "sketch"})


def tiled(pixels: Bytes, dice: Dice) -> Bytes:
    """Return the image as a mosaic of square stones, each a little lighter or darker."""
    edge = dice.whole(2, 3)
    centres = np.minimum(np.arange(SIZE) // edge * edge + edge // 2, SIZE - 1)
    stones = dice.noise(SIZE, SIZE)[np.ix_(centres, centres)].astype(np.int32) // 6 - 21
    tiles: Bytes = np.clip(pixels[np.ix_(centres, centres)] + stones[..., None], 0, 255).astype(
        np.uint8
    )
    return tiles


def _palette(body: Colour, dice: Dice) -> tuple[Colour, Colour, Colour, Colour]:
    other = mixed(body, NAMED[dice.pick(tuple(NAMED))], dice.between(0.25, 0.75))
    dark = mixed(body, _INK, dice.between(0.65, 0.9))
    light = mixed(body, (255, 252, 245), dice.between(0.6, 0.9))
    return body, other, dark, light


def _painted(shape: _Shape, palette: tuple[Colour, ...]) -> NDArray[np.float64]:
    """Return the mean colour of each pixel's covered samples; where none are, the body's."""
    inks = shape.tones[..., 1:]
    seen = inks.sum(axis=-1, keepdims=True)
    total = np.einsum("hwt,tc->hwc", inks, np.array(palette))
    return np.where(seen > 0, total / np.maximum(seen, 1), np.array(palette[0], dtype=float))


def _inked(pixels: NDArray[np.float64], shape: _Shape, ink: Colour) -> NDArray[np.float64]:
    share = shape.lines[..., None] / _SAMPLES
    return pixels * (1 - share) + np.array(ink) * share


def _light(dice: Dice) -> NDArray[np.float64]:
    angle, strength = radians(dice.between(0, 360)), dice.between(0.05, 0.3)
    steps = np.linspace(-1, 1, SIZE)
    return 1 + strength * (steps * cos(angle) + steps[:, None] * sin(angle))


def _pattern(dice: Dice) -> NDArray[np.float64]:
    kind, depth = dice.pick(("plain", "plain", "stripes", "grain")), dice.between(0.08, 0.2)
    if kind == "stripes":
        waves = np.arange(SIZE) * dice.between(0.6, 1.6) + dice.between(0, 6)
        slanted = waves + np.arange(SIZE)[:, None] * dice.between(-1, 1)
        return np.where(slanted % 2 < 1, 1 - depth, 1.0)
    grain = dice.noise(SIZE, SIZE) / 255 if kind == "grain" else np.zeros((SIZE, SIZE))
    return 1 - depth * grain


def _bytes(pixels: NDArray[np.float64]) -> Bytes:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
