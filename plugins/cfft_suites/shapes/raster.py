"""From outlines to pixels: place an outline in the image and count what covers each pixel."""

from __future__ import annotations

from math import cos, radians, sin

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .dice import Dice
from .outline import Outline, Point, Tone

SIZE = 64
_FINE = 4  # samples per pixel and axis
_TONES = len(Tone)

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@attrs.frozen
class PoseRange:
    """Bound how an object may lie in the image.

    `turn`: degrees to either side. `scale`: span of the longer side as a share of the image.
    `upside_down` and `hidden`: probability of a vertical flip and of a partial occlusion.
    """

    turn: float = 25.0
    scale: tuple[float, float] = (0.66, 0.94)
    stretch: float = 0.12
    upside_down: float = 0.0
    hidden: float = 0.2


def place(outline: Outline, poses: PoseRange, dice: Dice) -> Outline:
    """Return a fitted outline flipped, stretched, sheared, turned, scaled and moved, -1 to 1."""
    matrix = _pose_matrix(poses, dice)
    moved = [[_times(matrix, point) for point in part.points] for part in outline]
    reach_x = max(abs(x) for points in moved for x, _ in points)
    reach_y = max(abs(y) for points in moved for _, y in points)
    dx = dice.between(-1, 1) * max(0.0, 1.02 - reach_x)
    dy = dice.between(-1, 1) * max(0.0, 1.02 - reach_y)
    return [
        attrs.evolve(part, points=tuple((x + dx, y + dy) for x, y in points))
        for part, points in zip(outline, moved, strict=True)
    ]


def tone_map(outline: Outline) -> Bytes:
    """Return the tone of every fine sample: [SIZE * 4, SIZE * 4]."""
    canvas = Image.new("L", (SIZE * _FINE, SIZE * _FINE), 0)
    pen = ImageDraw.Draw(canvas)
    half = SIZE * _FINE / 2
    for part in outline:
        corners = [(round(half + half * x), round(half + half * y)) for x, y in part.points]
        pen.polygon(corners, fill=int(part.tone))
    return np.asarray(canvas)


def coverage(tones: Bytes) -> NDArray[np.int32]:
    """Return how many of a pixel's 16 samples have each tone: [SIZE, SIZE, tones]."""
    counts = [_per_pixel(tones == tone) for tone in range(_TONES)]
    return np.stack(counts, axis=-1)


def line_coverage(tones: Bytes, reach: int) -> NDArray[np.int32]:
    """Return how many samples of each pixel lie within `reach` samples of a change of tone."""
    near = np.zeros(tones.shape, dtype=bool)
    for step in range(1, reach + 1):
        across = tones[:, step:] != tones[:, :-step]
        down = tones[step:] != tones[:-step]
        near[:, :-step] |= across
        near[:, step:] |= across
        near[:-step] |= down
        near[step:] |= down
    return _per_pixel(near)


def occluded(visible: Mask, dice: Dice, hidden: float) -> Mask:
    """Return the mask with a straight piece cut off, of at most 30 % of it, or as it was."""
    if not dice.chance(hidden):
        return visible
    angle, offset = dice.between(0, 360), dice.between(0.25, 0.6)
    rows, columns = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    beyond = columns * cos(radians(angle)) + rows * sin(radians(angle)) > offset
    left = visible & ~beyond
    return left if left.sum() >= 0.7 * visible.sum() else visible


def _per_pixel(samples: Mask) -> NDArray[np.int32]:
    blocks = samples.reshape(SIZE, _FINE, SIZE, _FINE).view(np.uint8)
    counts: NDArray[np.int32] = blocks.sum(axis=1, dtype=np.uint8).sum(axis=-1, dtype=np.int32)
    return counts


def _pose_matrix(poses: PoseRange, dice: Dice) -> tuple[float, float, float, float]:
    angle = radians(dice.between(-poses.turn, poses.turn))
    scale = dice.between(*poses.scale)
    wide = scale * dice.between(1 - poses.stretch, 1 + poses.stretch) * dice.sign()
    high = scale * (-1 if dice.chance(poses.upside_down) else 1)
    shear = dice.between(-poses.stretch, poses.stretch)
    c, s = cos(angle), sin(angle)
    return (c * wide, (c * shear - s) * high, s * wide, (s * shear + c) * high)


def _times(matrix: tuple[float, float, float, float], point: Point) -> Point:
    a, b, c, d = matrix
    x, y = point
    return a * x + b * y, c * x + d * y
