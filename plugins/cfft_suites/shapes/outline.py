"""Parametric outlines: polygons in a plane with x to the right and y downwards."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from enum import IntEnum
from math import atan2, cos, pi, radians, sin

import attrs

Point = tuple[float, float]
_SIDES = 24


class Tone(IntEnum):
    """Colour of a part; a hole shows the background."""

    HOLE = 0
    BODY = 1
    SECOND = 2
    DARK = 3
    LIGHT = 4


@attrs.frozen
class Part:
    """Hold one polygon; later parts of an outline cover earlier ones."""

    points: tuple[Point, ...]
    tone: Tone = Tone.BODY


Outline = list[Part]


def polygon(*points: Point, tone: Tone = Tone.BODY) -> Outline:
    """Return the polygon through `points`."""
    return [Part(points, tone)]


def box(left: float, top: float, right: float, bottom: float, tone: Tone = Tone.BODY) -> Outline:
    """Return an upright rectangle."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom), tone=tone)


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
    """Return points on an ellipse from angle `start` to `end`, in degrees, 90 is downwards."""
    steps = max(3, round(abs(end - start) / 360 * _SIDES))
    angles = [radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(x + rx * cos(angle), y + ry * sin(angle)) for angle in angles]


def oval(x: float, y: float, rx: float, ry: float, tone: Tone = Tone.BODY) -> Outline:
    """Return an ellipse about (x, y)."""
    return [Part(tuple(arc(x, y, rx, ry, 0, 360)), tone)]


def segment(
    x: float, y: float, rx: float, ry: float, start: float, end: float, tone: Tone = Tone.BODY
) -> Outline:
    """Return the part of an ellipse that a chord cuts off."""
    return [Part(tuple(arc(x, y, rx, ry, start, end)), tone)]


def stroke(points: Sequence[Point], width: float, tone: Tone = Tone.BODY) -> Outline:
    """Return a line through `points`, `width` thick, with round ends and joints."""
    joints = [Part(tuple(arc(x, y, width / 2, width / 2, 0, 360)), tone) for x, y in points]
    bars = [_bar(first, second, width / 2, tone) for first, second in itertools.pairwise(points)]
    return [*joints, *bars]


def mirrored(outline: Iterable[Part]) -> Outline:
    """Return the outline together with its mirror image about the vertical axis."""
    parts = list(outline)
    return parts + [attrs.evolve(p, points=tuple((-x, y) for x, y in p.points)) for p in parts]


def turned(outline: Iterable[Part], degrees: float, x: float = 0, y: float = 0) -> Outline:
    """Return the outline turned clockwise about (x, y)."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return [
        attrs.evolve(
            part,
            points=tuple(
                (x + c * (px - x) - s * (py - y), y + s * (px - x) + c * (py - y))
                for px, py in part.points
            ),
        )
        for part in outline
    ]


def star(x: float, y: float, outer: float, inner: float, tips: int) -> list[Point]:
    """Return the corners of a star, the first tip upwards."""
    corners = ((step, inner if step % 2 else outer) for step in range(2 * tips))
    return [
        (x + radius * sin(pi * step / tips), y - radius * cos(pi * step / tips))
        for step, radius in corners
    ]


def fitted(outline: Outline) -> Outline:
    """Return the outline moved and scaled so that its longer side spans -1 to 1."""
    xs = [x for part in outline for x, _ in part.points]
    ys = [y for part in outline for _, y in part.points]
    x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    half = max(max(xs) - min(xs), max(ys) - min(ys)) / 2
    return [
        attrs.evolve(
            part, points=tuple(((px - x) / half, (py - y) / half) for px, py in part.points)
        )
        for part in outline
    ]


def _bar(first: Point, second: Point, half: float, tone: Tone) -> Part:
    angle = atan2(second[1] - first[1], second[0] - first[0]) + pi / 2
    dx, dy = half * cos(angle), half * sin(angle)
    (x0, y0), (x1, y1) = first, second
    return Part(
        ((x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)), tone
    )
