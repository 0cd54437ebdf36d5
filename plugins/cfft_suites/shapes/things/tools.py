"""Outlines of tools and instruments."""

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
    turned,
)


def key(dice: Dice) -> Outline:
    """Draw a key: a ring, a shaft and two teeth."""
    ring, tooth = dice.between(0.32, 0.42), dice.between(0.3, 0.42)
    return [
        *oval(-0.58, 0, ring, ring),
        *box(-0.4, -0.09, 0.95, 0.09),
        *box(0.45, 0, 0.6, tooth * 0.85),
        *box(0.78, 0, 0.95, tooth),
        *oval(-0.6, 0, ring * 0.52, ring * 0.52, Tone.HOLE),
    ]


def hammer(dice: Dice) -> Outline:
    """Draw a hammer: a block head with a claw on a straight handle."""
    head = dice.between(0.17, 0.24)
    return [
        *box(-0.1, -0.6, 0.1, 1.0, Tone.SECOND),
        *box(-0.28, -0.7 - head, 0.3, -0.7 + head),
        *box(-0.55, -0.72 - head * 1.2, -0.25, -0.68 + head * 1.2),
        *polygon((0.25, -0.7 - head), (0.5, -0.68 - head), (0.75, -0.4), (0.3, -0.7 + head)),
    ]


def axe(dice: Dice) -> Outline:
    """Draw an axe: a flaring blade on one side of a handle."""
    blade = dice.between(0.4, 0.52)
    edge = arc(-0.35, -0.5, 0.32, blade, 90, 270)
    return [
        *box(-0.08, -0.98, 0.1, 1.0, Tone.SECOND),
        *polygon((0.22, -0.65), *reversed(edge), (0.22, -0.35)),
        *polygon(*edge, (-0.42, -0.5 - blade * 0.7), (-0.42, -0.5 + blade * 0.7), tone=Tone.LIGHT),
    ]


def scissors(dice: Dice) -> Outline:
    """Draw open scissors: two crossed blades and two finger rings."""
    half = dice.between(14, 24)
    blade = [
        *polygon((-0.09, 0.25), (0.09, 0.25), (0.06, -0.6), (0, -0.98), (-0.09, -0.5)),
        *stroke([(0, 0.15), (0.05, 0.45)], 0.14, Tone.SECOND),
        *oval(0.05, 0.68, 0.25, 0.3, Tone.SECOND),
        *oval(0.05, 0.68, 0.12, 0.17, Tone.HOLE),
    ]
    return [*mirrored(turned(blade, -half)), *oval(0, 0.0, 0.07, 0.07, Tone.DARK)]


def guitar(dice: Dice) -> Outline:
    """Draw a guitar: a waisted body with a sound hole, a long neck and a head."""
    lower = dice.between(0.42, 0.5)
    return [
        *box(-0.075, -0.85, 0.075, 0.2, Tone.SECOND),
        *polygon((-0.16, -1.05), (0.16, -1.05), (0.12, -0.78), (-0.12, -0.78), tone=Tone.DARK),
        *oval(0, 0.12, lower * 0.75, 0.3),
        *box(-lower * 0.6, 0.2, lower * 0.6, 0.5),
        *oval(0, 0.6, lower, 0.4),
        *oval(0, 0.25, 0.15, 0.15, Tone.DARK),
        *box(-0.2, 0.66, 0.2, 0.74, Tone.DARK),
    ]


def spoon(dice: Dice) -> Outline:
    """Draw a spoon: an oval bowl on a long thin handle."""
    bowl = dice.between(0.24, 0.32)
    return [
        *stroke([(0, -0.2), (0, 0.95)], 0.13),
        *oval(0, -0.62, bowl, 0.4),
        *oval(0, -0.62, bowl * 0.65, 0.28, Tone.SECOND),
    ]


def fork(dice: Dice) -> Outline:
    """Draw a fork: three or four prongs on a handle."""
    prongs = dice.whole(3, 4)
    wide = 0.32
    places = [wide * (2 * step / (prongs - 1) - 1) for step in range(prongs)]
    return [
        *stroke([(0, 0), (0, 0.95)], 0.15),
        *segment(0, -0.25, wide + 0.06, 0.35, 0, 180),
        *(part for x in places for part in stroke([(x, -0.25), (x, -0.92)], 0.12)),
    ]


def pencil(dice: Dice) -> Outline:
    """Draw a pencil: a long bar with a sharpened tip and a rubber."""
    half = dice.between(0.13, 0.18)
    return [
        *box(-0.75, -half, 0.6, half),
        *polygon((0.6, -half), (1.0, 0), (0.6, half), tone=Tone.LIGHT),
        *polygon((0.86, -half * 0.35), (1.0, 0), (0.86, half * 0.35), tone=Tone.DARK),
        *box(-0.98, -half, -0.75, half, Tone.SECOND),
        *box(-0.75, -0.03, 0.6, 0.03, Tone.DARK),
    ]


def sword(dice: Dice) -> Outline:
    """Draw a sword: a long blade, a cross-guard and a grip with a knob."""
    guard = dice.between(0.32, 0.42)
    return [
        *polygon((-0.11, 0.45), (-0.11, -0.75), (0, -1.0), (0.11, -0.75), (0.11, 0.45)),
        *stroke([(-guard, 0.48), (guard, 0.48)], 0.13, Tone.SECOND),
        *stroke([(0, 0.5), (0, 0.85)], 0.14, Tone.DARK),
        *oval(0, 0.92, 0.12, 0.12, Tone.SECOND),
    ]


def anchor(dice: Dice) -> Outline:
    """Draw an anchor: ring, stock, shank and two flukes."""
    deep = dice.between(0.55, 0.7)
    fluke = polygon((0.92, 0.0), (0.5, 0.2), (0.88, 0.42))
    return [
        *oval(0, -0.78, 0.2, 0.2),
        *oval(0, -0.78, 0.09, 0.09, Tone.HOLE),
        *stroke([(0, -0.6), (0, 0.75)], 0.15),
        *stroke([(-0.4, -0.38), (0.4, -0.38)], 0.13),
        *stroke(arc(0, 0.15, 0.72, deep, 10, 170), 0.16),
        *mirrored(fluke),
    ]


def ladder(dice: Dice) -> Outline:
    """Draw a ladder: two rails and their rungs."""
    half, rungs = dice.between(0.3, 0.4), dice.whole(4, 5)
    heights = [-0.75 + 1.5 * step / (rungs - 1) for step in range(rungs)]
    bars = [stroke([(-half, y), (half, y)], 0.11, Tone.SECOND) for y in heights]
    rail = stroke([(half, -0.95), (half, 0.95)], 0.14)
    return [*(part for bar in bars for part in bar), *mirrored(rail)]


def bell(dice: Dice) -> Outline:
    """Draw a bell: a flaring body with a clapper and a loop."""
    flare = dice.between(0.65, 0.8)
    return [
        *oval(0, -0.8, 0.16, 0.16, Tone.SECOND),
        *oval(0, 0.72, 0.17, 0.17, Tone.DARK),
        *polygon(
            (-0.25, -0.65), (0.25, -0.65), (0.42, 0.2), (flare, 0.6), (-flare, 0.6), (-0.42, 0.2)
        ),
        *box(-flare, 0.5, flare, 0.66, Tone.SECOND),
    ]
