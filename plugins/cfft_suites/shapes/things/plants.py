"""Outlines of plants and fruit."""

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


def conifer(dice: Dice) -> Outline:
    """Draw a fir: three tiers on a trunk."""
    wide = dice.between(0.55, 0.75)
    tiers = [
        polygon((0, top), (-wide * share, bottom), (wide * share, bottom))
        for top, bottom, share in ((-0.1, 0.7, 1.0), (-0.55, 0.25, 0.8), (-1.0, -0.2, 0.55))
    ]
    return [*box(-0.12, 0.6, 0.12, 1.0, Tone.DARK), *(part for tier in tiers for part in tier)]


def mushroom(dice: Dice) -> Outline:
    """Draw a toadstool: a dotted cap on a thick stem."""
    cap, stem = dice.between(0.7, 0.9), dice.between(0.18, 0.28)
    return [
        *polygon((-stem, 0), (stem, 0), (stem * 1.4, 0.85), (-stem * 1.4, 0.85), tone=Tone.LIGHT),
        *segment(0, 0.08, cap, dice.between(0.75, 0.95), 180, 360),
        *oval(-cap * 0.45, -0.2, 0.12, 0.1, Tone.LIGHT),
        *oval(0.05, -0.45, 0.14, 0.12, Tone.LIGHT),
        *oval(cap * 0.5, -0.15, 0.11, 0.1, Tone.LIGHT),
    ]


def cactus(dice: Dice) -> Outline:
    """Draw a column cactus with two bent arms."""
    left, right = dice.between(-0.1, 0.25), dice.between(-0.1, 0.25)
    return [
        *stroke([(0, -0.75), (0, 0.95)], 0.38),
        *stroke([(0, left + 0.25), (-0.52, left + 0.2), (-0.55, left - 0.4)], 0.25),
        *stroke([(0, right + 0.35), (0.52, right + 0.3), (0.55, right - 0.35)], 0.25),
        *stroke([(0, -0.75), (0, 0.9)], 0.06, Tone.LIGHT),
    ]


def leaf(dice: Dice) -> Outline:
    """Draw a pointed leaf with its veins."""
    wide = dice.between(0.38, 0.52)
    side = [(-0.9, 0.0), (-0.45, -wide * 0.85), (0.1, -wide), (0.55, -wide * 0.6), (0.85, 0.0)]
    veins = [
        stroke([(x, 0), (x - 0.2, y)], 0.05, Tone.DARK)
        for x in (-0.3, 0.1, 0.5)
        for y in (-0.25, 0.25)
    ]
    return [
        *stroke([(0.7, 0), (1.1, 0.08)], 0.09, Tone.DARK),
        *polygon(*side, *((x, -y) for x, y in reversed(side))),
        *stroke([(-0.75, 0), (0.85, 0)], 0.06, Tone.DARK),
        *(part for vein in veins for part in vein),
    ]


def apple(dice: Dice) -> Outline:
    """Draw an apple: two lobes, a stalk and a leaf."""
    wide = dice.between(0.42, 0.5)
    return [
        *stroke([(0, -0.4), (0.08, -0.85)], 0.09, Tone.DARK),
        *turned(oval(0.33, -0.72, 0.26, 0.12, Tone.SECOND), -20, 0.33, -0.72),
        *mirrored(oval(0.28, 0.1, wide, 0.62)),
    ]


def pear(dice: Dice) -> Outline:
    """Draw a pear: a narrow neck on a round belly."""
    belly = dice.between(0.5, 0.6)
    return [
        *stroke([(0, -0.7), (0.1, -1.0)], 0.09, Tone.DARK),
        *polygon((-0.22, -0.55), (0.22, -0.55), (belly * 0.95, 0.3), (-belly * 0.95, 0.3)),
        *oval(0, -0.55, 0.24, 0.24),
        *oval(0, 0.4, belly, 0.55),
    ]


def flower(dice: Dice) -> Outline:
    """Draw a flower: petals about a centre, a stem and leaves."""
    petals = dice.whole(5, 7)
    blossom = [
        turned(oval(0, -0.72, 0.17, 0.25), 360 * step / petals, 0, -0.42) for step in range(petals)
    ]
    return [
        *stroke([(0, -0.4), (0, 1.0)], 0.1, Tone.SECOND),
        *turned(oval(0.28, 0.55, 0.3, 0.12, Tone.SECOND), -25, 0.28, 0.55),
        *turned(oval(-0.28, 0.65, 0.3, 0.12, Tone.SECOND), 25, -0.28, 0.65),
        *(part for petal in blossom for part in petal),
        *oval(0, -0.42, 0.17, 0.17, Tone.LIGHT),
    ]


def banana(dice: Dice) -> Outline:
    """Draw a banana: a thick bow with dark ends."""
    deep = dice.between(0.6, 0.8)
    outer, inner = arc(0, -0.3, 0.95, deep, 10, 170), arc(0, -0.3, 0.8, deep * 0.45, 170, 10)
    return [
        *polygon(*outer, *inner),
        *oval(0.88, -0.18, 0.1, 0.1, Tone.DARK),
        *oval(-0.88, -0.18, 0.1, 0.1, Tone.DARK),
    ]
