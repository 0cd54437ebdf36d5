"""Outlines of things of the household."""

from __future__ import annotations

from cfft_suites.shapes.dice import Dice
from cfft_suites.shapes.outline import (
    Outline,
    Tone,
    arc,
    box,
    mirrored,
    oval,
    polygon,
    segment,
    stroke,
)


def mug(dice: Dice) -> Outline:
    """Draw a mug: an upright body with one ear."""
    height, wide = dice.between(0.6, 0.75), dice.between(0.45, 0.55)
    return [
        *oval(wide * 0.75, 0.0, 0.42, 0.38),
        *oval(wide * 0.8, 0.0, 0.24, 0.22, Tone.HOLE),
        *box(-0.75 + 0.1, -height, wide * 0.75, height),
        *stroke([(-0.62, -height), (wide * 0.7, -height)], 0.16, Tone.SECOND),
    ]


def teapot(dice: Dice) -> Outline:
    """Draw a teapot: a round belly with spout, ear, lid and knob."""
    belly = dice.between(0.45, 0.52)
    return [
        *oval(0.58, 0.08, 0.36, 0.36),
        *oval(0.6, 0.08, 0.2, 0.2, Tone.HOLE),
        *polygon((-0.35, 0.35), (-0.35, -0.02), (-0.85, -0.42), (-1.02, -0.32), (-0.75, 0.15)),
        *oval(0, 0.12, 0.58, belly),
        *segment(0, -0.25, 0.34, 0.22, 180, 360, Tone.SECOND),
        *oval(0, -0.55, 0.11, 0.11, Tone.SECOND),
        *box(-0.35, 0.5, 0.35, 0.64, Tone.SECOND),
    ]


def bottle(dice: Dice) -> Outline:
    """Draw a bottle: a tall body, shoulders, a neck, a cork and a label."""
    half, shoulder = dice.between(0.26, 0.36), dice.between(-0.35, -0.15)
    return [
        *box(-half, shoulder, half, 1.0),
        *polygon(
            (-half, shoulder), (-0.12, shoulder - 0.25), (0.12, shoulder - 0.25), (half, shoulder)
        ),
        *box(-0.12, -0.9, 0.12, shoulder - 0.2),
        *box(-0.15, -1.0, 0.15, -0.82, Tone.DARK),
        *box(-half, 0.2, half, 0.65, Tone.LIGHT),
    ]


def wineglass(dice: Dice) -> Outline:
    """Draw a wineglass: a bowl on a thin stem and a flat foot."""
    half = dice.between(0.4, 0.5)
    return [
        *stroke([(0, 0.1), (0, 0.88)], 0.1),
        *stroke([(-0.36, 0.92), (0.36, 0.92)], 0.13),
        *segment(0, -0.45, half, 0.65, 0, 180),
        *box(-half, -0.95, half, -0.45),
        *segment(0, -0.45, half * 0.82, 0.52, 0, 180, Tone.SECOND),
        *box(-half * 0.82, -0.6, half * 0.82, -0.45, Tone.SECOND),
    ]


def umbrella(dice: Dice) -> Outline:
    """Draw an open umbrella: a scalloped canopy, a thin stick and a crook."""
    canopy = dice.between(0.75, 0.95)
    scallops = [
        oval(canopy * x, 0.0, canopy / 4, 0.13, Tone.HOLE) for x in (-0.75, -0.25, 0.25, 0.75)
    ]
    return [
        *segment(0, 0.0, canopy, dice.between(0.75, 0.9), 180, 360),
        *polygon((0, -0.85), (-canopy * 0.5, 0), (canopy * 0.5, 0), tone=Tone.SECOND),
        *(part for scallop in scallops for part in scallop),
        *stroke([(0, -0.15), (0, 0.8), *arc(0.16, 0.8, 0.16, 0.16, 180, 0)], 0.09, Tone.DARK),
        *stroke([(0, -0.8), (0, -1.0)], 0.08, Tone.DARK),
    ]


def chair(dice: Dice) -> Outline:
    """Draw a chair from the side: a back, a seat and two legs."""
    seat = dice.between(0.05, 0.2)
    return [
        *stroke([(-0.5, -0.95), (-0.45, seat)], 0.16),
        *stroke([(-0.45, seat), (-0.52, 0.95)], 0.14),
        *stroke([(0.48, seat), (0.52, 0.95)], 0.14),
        *stroke([(-0.45, 0.6), (0.48, 0.6)], 0.08),
        *stroke([(-0.48, seat), (0.52, seat)], 0.22, Tone.SECOND),
    ]


def table(dice: Dice) -> Outline:
    """Draw a table: a wide top on two legs."""
    high = dice.between(0.45, 0.6)
    leg = stroke([(0.68, -high + 0.1), (0.75, high)], 0.15)
    return [
        *mirrored(leg),
        *box(-0.8, -high, 0.8, -high + 0.3, Tone.SECOND),
        *box(-1.0, -high - 0.1, 1.0, -high + 0.1),
    ]


def lamp(dice: Dice) -> Outline:
    """Draw a table lamp: a shade like a cut cone, a stand and a foot."""
    shade = dice.between(0.55, 0.7)
    return [
        *stroke([(0, -0.1), (0, 0.8)], 0.12, Tone.DARK),
        *segment(0, 0.98, 0.42, 0.25, 180, 360, Tone.DARK),
        *polygon((-0.3, -0.95), (0.3, -0.95), (shade, 0.05), (-shade, 0.05)),
    ]


def clock(dice: Dice) -> Outline:
    """Draw a round clock with two hands."""
    hour = dice.between(0, 360)
    hands = [
        stroke(
            [(0, 0), arc(0, 0, length, length, hour * turns, hour * turns + 1)[0]], 0.1, Tone.DARK
        )
        for length, turns in ((0.4, 1), (0.62, 12))
    ]
    ticks = [
        oval(x, y, 0.06, 0.06, Tone.DARK) for x, y in ((0, -0.68), (0.68, 0), (0, 0.68), (-0.68, 0))
    ]
    return [
        *oval(0, 0, 1.0, 1.0),
        *oval(0, 0, 0.82, 0.82, Tone.LIGHT),
        *(part for group in (*ticks, *hands) for part in group),
    ]


def candle(dice: Dice) -> Outline:
    """Draw a burning candle on a plate."""
    half = dice.between(0.2, 0.28)
    return [
        *stroke([(-0.5, 0.92), (0.5, 0.92)], 0.16, Tone.SECOND),
        *box(-half, -0.3, half, 0.9),
        *stroke([(0, -0.3), (0, -0.45)], 0.06, Tone.DARK),
        *polygon(
            (0, -1.0), (0.17, -0.6), (0.1, -0.42), (-0.1, -0.42), (-0.17, -0.6), tone=Tone.LIGHT
        ),
    ]


def bulb(dice: Dice) -> Outline:
    """Draw a light bulb: a round glass on a screw."""
    glass = dice.between(0.55, 0.65)
    return [
        *oval(0, -0.35, glass, 0.62),
        *polygon((-glass * 0.8, 0), (glass * 0.8, 0), (0.24, 0.5), (-0.24, 0.5)),
        *box(-0.25, 0.48, 0.25, 0.85, Tone.SECOND),
        *box(-0.27, 0.6, 0.27, 0.67, Tone.DARK),
        *box(-0.14, 0.85, 0.14, 0.98, Tone.DARK),
    ]


def glasses(dice: Dice) -> Outline:
    """Draw spectacles: two rings, a bridge and two bent sides."""
    ring = dice.between(0.34, 0.4)
    half = [
        *oval(0.48, 0.1, ring, ring * 0.9),
        *oval(0.48, 0.1, ring * 0.68, ring * 0.6, Tone.HOLE),
        *stroke([(0.82, 0.0), (1.0, -0.4)], 0.11),
    ]
    return [*mirrored(half), *stroke([(-0.16, 0.05), (0, -0.02), (0.16, 0.05)], 0.12)]


def hat(dice: Dice) -> Outline:
    """Draw a top hat with a ribbon."""
    half = dice.between(0.42, 0.52)
    return [
        *box(-half, -0.7, half, 0.5),
        *stroke([(-0.85, 0.52), (0.85, 0.52)], 0.22),
        *box(-half, 0.12, half, 0.38, Tone.SECOND),
    ]


def boot(dice: Dice) -> Outline:
    """Draw a boot: a tall shaft, a toe and a heeled sole."""
    shaft = dice.between(0.28, 0.38)
    return [
        *box(0.45 - 2 * shaft, -0.95, 0.45, 0.5),
        *oval(-0.3, 0.42, 0.55, 0.3),
        *box(-0.3, 0.35, 0.45, 0.7),
        *box(-0.85, 0.62, 0.5, 0.78, Tone.DARK),
        *box(0.15, 0.7, 0.5, 0.95, Tone.DARK),
        *box(0.4 - 2 * shaft, -0.95, 0.5, -0.72, Tone.SECOND),
    ]


def crown(dice: Dice) -> Outline:
    """Draw a crown: five points with balls on a band."""
    tip = dice.between(0.55, 0.75)
    xs = (-0.85, -0.42, 0, 0.42, 0.85)
    points = [(x, -tip if step % 2 == 0 else 0.0) for step, x in enumerate(xs)]
    balls = [oval(x, -tip, 0.12, 0.12, Tone.LIGHT) for x in xs[::2]]
    return [
        *polygon(*points, (0.75, 0.6), (-0.75, 0.6)),
        *box(-0.75, 0.38, 0.75, 0.65, Tone.SECOND),
        *(part for ball in balls for part in ball),
    ]


def envelope(dice: Dice) -> Outline:
    """Draw a closed envelope with its flap."""
    half = dice.between(0.55, 0.7)
    return [
        *box(-1.0, -half, 1.0, half),
        *stroke([(-0.95, -half + 0.05), (0, half * 0.2), (0.95, -half + 0.05)], 0.1, Tone.DARK),
        *stroke([(-0.95, half - 0.05), (-0.3, 0.0)], 0.07, Tone.SECOND),
        *stroke([(0.95, half - 0.05), (0.3, 0.0)], 0.07, Tone.SECOND),
    ]
