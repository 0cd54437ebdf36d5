"""Outlines of vehicles, buildings and signs."""

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
    star,
    stroke,
)


def sailboat(dice: Dice) -> Outline:
    """Draw a sailing boat: a hull, a mast and two sails."""
    main = dice.between(0.6, 0.8)
    return [
        *polygon((-0.85, 0.45), (0.9, 0.45), (0.6, 0.85), (-0.6, 0.85), tone=Tone.SECOND),
        *stroke([(0, -0.95), (0, 0.5)], 0.08, Tone.DARK),
        *polygon((0.08, -0.9), (0.08, 0.35), (main, 0.35)),
        *polygon((-0.08, -0.7), (-0.08, 0.35), (-main * 0.8, 0.35), tone=Tone.LIGHT),
    ]


def car(dice: Dice) -> Outline:
    """Draw a car from the side: a low body, a rounded cabin, windows and two wheels."""
    roof = dice.between(0.42, 0.55)
    return [
        *polygon((-0.6, -0.05), (-0.35, -roof), (0.3, -roof), (0.6, -0.05)),
        *polygon(
            (-0.45, -0.08),
            (-0.27, -roof + 0.12),
            (-0.05, -roof + 0.12),
            (-0.05, -0.08),
            tone=Tone.LIGHT,
        ),
        *polygon(
            (0.05, -0.08),
            (0.05, -roof + 0.12),
            (0.23, -roof + 0.12),
            (0.43, -0.08),
            tone=Tone.LIGHT,
        ),
        *stroke([(-0.85, 0.13), (0.85, 0.13)], 0.36),
        *mirrored(_wheel(0.5, 0.33, 0.22)),
    ]


def truck(dice: Dice) -> Outline:
    """Draw a lorry from the side: a tall box, a cab with a window and wheels."""
    top = dice.between(0.55, 0.7)
    return [
        *box(-0.25, -top, 1.0, 0.3, Tone.SECOND),
        *polygon((-0.3, -0.3), (-0.7, -0.3), (-0.98, 0.02), (-0.98, 0.3), (-0.3, 0.3)),
        *polygon((-0.45, -0.2), (-0.66, -0.2), (-0.84, 0.02), (-0.45, 0.02), tone=Tone.LIGHT),
        *box(-0.98, 0.25, 1.0, 0.38, Tone.DARK),
        *_wheel(-0.62, 0.42, 0.2),
        *_wheel(0.3, 0.42, 0.2),
        *_wheel(0.72, 0.42, 0.2),
    ]


def airplane(dice: Dice) -> Outline:
    """Draw an aeroplane from above: a fuselage, swept wings and a tail."""
    span, sweep = dice.between(0.8, 1.0), dice.between(0.2, 0.4)
    half = [
        *polygon((0, -0.25), (span, sweep), (span, sweep + 0.18), (0, 0.22), tone=Tone.SECOND),
        *polygon((0, 0.6), (0.36, 0.85), (0.36, 0.98), (0, 0.85), tone=Tone.SECOND),
    ]
    return [*mirrored(half), *oval(0, 0, 0.15, 1.0), *oval(0, -0.72, 0.08, 0.1, Tone.LIGHT)]


def bicycle(dice: Dice) -> Outline:
    """Draw a bicycle: two spokeless wheels, a frame, a saddle and a bar."""
    wheel = dice.between(0.38, 0.44)
    rings = [stroke(arc(x, 0.3, wheel, wheel, 0, 360), 0.1, Tone.DARK) for x in (-0.58, 0.58)]
    frame = [(-0.58, 0.3), (-0.25, -0.3), (0.35, -0.3), (0.0, 0.3), (-0.58, 0.3)]
    return [
        *(part for ring in rings for part in ring),
        *stroke(frame, 0.1),
        *stroke([(-0.25, -0.3), (0.0, 0.3)], 0.1),
        *stroke([(0.58, 0.3), (0.32, -0.55), (0.5, -0.6)], 0.1),
        *stroke([(-0.42, -0.45), (-0.15, -0.45)], 0.13, Tone.DARK),
    ]


def house(dice: Dice) -> Outline:
    """Draw a house: a gable roof, a door, a window and a chimney."""
    eaves = dice.between(-0.25, -0.1)
    return [
        *box(0.35, -0.85, 0.58, eaves, Tone.DARK),
        *box(-0.7, eaves, 0.7, 0.95),
        *polygon((-0.9, eaves), (0, -0.98), (0.9, eaves), tone=Tone.SECOND),
        *box(-0.5, 0.35, -0.15, 0.95, Tone.DARK),
        *box(0.12, 0.25, 0.5, 0.6, Tone.LIGHT),
    ]


def tent(dice: Dice) -> Outline:
    """Draw a tent: a triangle with an open flap."""
    wide = dice.between(0.8, 1.0)
    return [
        *polygon((-wide, 0.7), (0, -0.75), (wide, 0.7)),
        *polygon((-0.32, 0.7), (0, -0.35), (0.32, 0.7), tone=Tone.DARK),
        *polygon((0, -0.35), (0.32, 0.7), (0.5, 0.7), tone=Tone.LIGHT),
    ]


def balloon(dice: Dice) -> Outline:
    """Draw a hot-air balloon: a striped globe and a basket on ropes."""
    globe = dice.between(0.6, 0.7)
    return [
        *stroke([(-0.3, 0.2), (-0.14, 0.7)], 0.06, Tone.DARK),
        *stroke([(0.3, 0.2), (0.14, 0.7)], 0.06, Tone.DARK),
        *oval(0, -0.32, globe, 0.66),
        *oval(0, -0.32, globe * 0.38, 0.66, Tone.SECOND),
        *box(-0.2, 0.68, 0.2, 0.98, Tone.DARK),
    ]


def flag(dice: Dice) -> Outline:
    """Draw a waving flag on a pole."""
    high = dice.between(0.5, 0.65)
    return [
        *stroke([(-0.65, -0.95), (-0.65, 0.98)], 0.13, Tone.DARK),
        *polygon(
            (-0.6, -0.9),
            (-0.1, -0.78),
            (0.3, -0.92),
            (0.8, -0.8),
            (0.8, -0.8 + high),
            (0.3, -0.92 + high),
            (-0.1, -0.78 + high),
            (-0.6, -0.9 + high),
        ),
        *polygon(
            (-0.6, -0.9 + high * 0.35),
            (0.8, -0.8 + high * 0.35),
            (0.8, -0.8 + high * 0.65),
            (-0.6, -0.9 + high * 0.65),
            tone=Tone.SECOND,
        ),
    ]


def starlet(dice: Dice) -> Outline:
    """Draw a five-pointed star."""
    return polygon(*star(0, 0, 1.0, dice.between(0.38, 0.48), 5))


def heart(dice: Dice) -> Outline:
    """Draw a heart: two lobes over a point."""
    lobe = dice.between(0.44, 0.5)
    return [
        *mirrored(oval(0.4, -0.3, lobe, 0.42)),
        *polygon((-0.82, -0.15), (0.82, -0.15), (0, 0.9)),
    ]


def moon(dice: Dice) -> Outline:
    """Draw a crescent."""
    thick = dice.between(0.3, 0.5)
    inner = arc(thick, 0, 0.8, 0.78, 270, 90)
    return polygon(*arc(0, 0, 0.95, 0.95, 60, 300), *inner[1:-1])


def tower(dice: Dice) -> Outline:
    """Draw a lighthouse: a banded tapering tower with a lantern."""
    foot = dice.between(0.36, 0.46)
    return [
        *polygon((-0.22, -0.5), (0.22, -0.5), (foot, 1.0), (-foot, 1.0)),
        *polygon((-0.27, -0.2), (0.27, -0.2), (0.31, 0.15), (-0.31, 0.15), tone=Tone.SECOND),
        *polygon((-0.35, 0.5), (0.35, 0.5), (0.39, 0.8), (-0.39, 0.8), tone=Tone.SECOND),
        *box(-0.34, -0.58, 0.34, -0.46, Tone.DARK),
        *box(-0.17, -0.8, 0.17, -0.56, Tone.LIGHT),
        *segment(0, -0.78, 0.24, 0.24, 180, 360, Tone.DARK),
    ]


def windmill(dice: Dice) -> Outline:
    """Draw a windmill: a tower with four crossed sails."""
    turn = dice.between(20, 70)
    tips = [
        arc(0, -0.35, 0.75, 0.75, turn + 90 * step, turn + 90 * step + 1)[0] for step in range(4)
    ]
    sails = [stroke([(0, -0.35), tip], 0.17, Tone.LIGHT) for tip in tips]
    return [
        *polygon((-0.25, -0.45), (0.25, -0.45), (0.45, 1.0), (-0.45, 1.0)),
        *box(-0.13, 0.6, 0.13, 1.0, Tone.DARK),
        *(part for sail in sails for part in sail),
        *oval(0, -0.35, 0.09, 0.09, Tone.DARK),
    ]


def _wheel(x: float, y: float, radius: float) -> Outline:
    return [
        *oval(x, y, radius, radius, Tone.DARK),
        *oval(x, y, radius * 0.45, radius * 0.45, Tone.LIGHT),
    ]
