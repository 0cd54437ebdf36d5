"""Outlines of animals."""

from __future__ import annotations

from cfft_suites.shapes.dice import Dice
from cfft_suites.shapes.outline import (
    Outline,
    Tone,
    arc,
    mirrored,
    oval,
    polygon,
    segment,
    stroke,
    turned,
)


def fish(dice: Dice) -> Outline:
    """Draw a fish: oval body, forked tail, fins and an eye."""
    height, tail = dice.between(0.32, 0.48), dice.between(0.3, 0.48)
    return [
        *polygon((0.35, 0), (0.95, -tail), (0.8, 0), (0.95, tail), tone=Tone.SECOND),
        *polygon(
            (-0.25, -height * 0.8), (0.1, -height - 0.25), (0.25, -height * 0.7), tone=Tone.SECOND
        ),
        *oval(-0.15, 0, 0.75, height),
        *polygon((-0.1, 0.05), (0.2, 0.25), (0.2, -0.05), tone=Tone.SECOND),
        *oval(-0.6, -0.1, 0.09, 0.09, Tone.DARK),
    ]


def bird(dice: Dice) -> Outline:
    """Draw a bird on its feet: body, head, beak, wing and tail."""
    plump = dice.between(0.34, 0.44)
    return [
        *stroke([(-0.05, 0.3), (-0.1, 0.85)], 0.09, Tone.DARK),
        *stroke([(0.15, 0.3), (0.12, 0.85)], 0.09, Tone.DARK),
        *polygon((0.3, -0.1), (1.0, -0.25), (0.95, 0.1), (0.35, 0.25), tone=Tone.SECOND),
        *turned(oval(0, 0.05, 0.58, plump), 12),
        *oval(-0.5, -0.4, 0.28, 0.28),
        *polygon((-0.72, -0.5), (-1.08, -0.35), (-0.72, -0.28), tone=Tone.LIGHT),
        *turned(oval(0.12, 0.0, 0.36, plump * 0.55, Tone.SECOND), 20, 0.12, 0),
        *oval(-0.55, -0.45, 0.07, 0.07, Tone.DARK),
    ]


def butterfly(dice: Dice) -> Outline:
    """Draw a butterfly from above: four wings, a thin body and feelers."""
    upper, lower = dice.between(0.42, 0.52), dice.between(0.28, 0.38)
    wing = [
        *turned(oval(0.5, -0.35, 0.48, upper * 0.8), -35, 0.5, -0.35),
        *turned(oval(0.4, 0.38, 0.38, lower), 35, 0.4, 0.38),
        *oval(0.55, -0.38, 0.17, 0.17, Tone.SECOND),
        *oval(0.42, 0.4, 0.13, 0.13, Tone.SECOND),
        *stroke([(0, -0.5), (0.25, -0.9)], 0.06, Tone.DARK),
    ]
    return [*mirrored(wing), *oval(0, 0, 0.1, 0.6, Tone.DARK)]


def snail(dice: Dice) -> Outline:
    """Draw a snail: a round house with a spiral on a long foot, horns in front."""
    house = dice.between(0.45, 0.55)
    return [
        *stroke([(-0.85, 0.5), (0.85, 0.5)], 0.28, Tone.SECOND),
        *stroke([(-0.8, 0.5), (-0.8, 0.0)], 0.24, Tone.SECOND),
        *stroke([(-0.85, 0.0), (-1.0, -0.4)], 0.08, Tone.SECOND),
        *stroke([(-0.75, 0.0), (-0.68, -0.4)], 0.08, Tone.SECOND),
        *oval(0.2, 0.05, house, house),
        *stroke(_spiral(0.2, 0.05, house * 0.75), 0.09, Tone.DARK),
    ]


def rabbit(dice: Dice) -> Outline:
    """Draw a sitting rabbit from the side: long ears, round back, a white tail."""
    ear = dice.between(0.5, 0.7)
    return [
        *turned(
            oval(-0.38, -0.4 - ear / 2, 0.11, ear / 2 + 0.1), dice.between(-12, 0), -0.4, -0.35
        ),
        *turned(
            oval(-0.2, -0.4 - ear / 2, 0.11, ear / 2 + 0.1), dice.between(10, 28), -0.25, -0.35
        ),
        *oval(0.2, 0.3, 0.55, 0.48),
        *oval(-0.4, -0.25, 0.3, 0.26),
        *oval(-0.2, 0.2, 0.25, 0.35),
        *stroke([(-0.45, 0.72), (0.35, 0.72)], 0.17),
        *oval(0.76, 0.45, 0.17, 0.17, Tone.LIGHT),
        *oval(-0.5, -0.3, 0.06, 0.06, Tone.DARK),
    ]


def cat(dice: Dice) -> Outline:
    """Draw a cat's head: pointed ears, eyes, nose and whiskers."""
    wide = dice.between(0.62, 0.75)
    half = [
        *polygon((0.15, -0.45), (wide * 0.95, -0.95), (wide * 0.9, -0.1)),
        *oval(0.28, -0.08, 0.11, 0.14, Tone.LIGHT),
        *oval(0.28, -0.08, 0.05, 0.12, Tone.DARK),
        *stroke([(0.3, 0.25), (0.98, 0.18)], 0.05, Tone.DARK),
        *stroke([(0.3, 0.33), (0.95, 0.45)], 0.05, Tone.DARK),
    ]
    nose = polygon((-0.12, 0.15), (0.12, 0.15), (0, 0.3), tone=Tone.SECOND)
    return [*oval(0, 0.05, wide, 0.6), *mirrored(half), *nose]


def turtle(dice: Dice) -> Outline:
    """Draw a turtle from the side: a domed shell, a head and short legs."""
    dome = dice.between(0.6, 0.75)
    return [
        *stroke([(-0.45, 0.3), (-0.5, 0.55)], 0.24, Tone.SECOND),
        *stroke([(0.4, 0.3), (0.45, 0.55)], 0.24, Tone.SECOND),
        *stroke([(-0.6, 0.2), (-0.85, -0.02)], 0.22, Tone.SECOND),
        *oval(-0.88, -0.08, 0.19, 0.16, Tone.SECOND),
        *polygon((0.6, 0.2), (0.98, 0.38), (0.6, 0.35), tone=Tone.SECOND),
        *segment(0, 0.32, 0.72, dome, 180, 360),
        *stroke(arc(0, 0.32, 0.36, dome * 0.6, 190, 350), 0.06, Tone.DARK),
        *oval(-0.94, -0.12, 0.04, 0.04, Tone.DARK),
    ]


def whale(dice: Dice) -> Outline:
    """Draw a whale: a heavy head, a raised fluke and a spout."""
    heavy = dice.between(0.42, 0.52)
    return [
        *stroke([(-0.35, -0.3), (-0.35, -0.65), (-0.6, -0.82)], 0.08, Tone.LIGHT),
        *stroke([(-0.35, -0.65), (-0.1, -0.82)], 0.08, Tone.LIGHT),
        *polygon((-0.2, -0.25), (0.45, 0.0), (0.75, -0.4), (0.9, -0.25), (0.6, 0.35), (0, 0.6)),
        *polygon((0.76, -0.28), (0.5, -0.62), (0.85, -0.5), (1.08, -0.6), (0.9, -0.22)),
        *oval(-0.3, 0.18, 0.68, heavy),
        *segment(-0.3, 0.28, 0.6, heavy * 0.75, 10, 170, Tone.LIGHT),
        *oval(-0.65, 0.08, 0.06, 0.06, Tone.DARK),
    ]


def snake(dice: Dice) -> Outline:
    """Draw a snake in three bends, with a head and a tongue."""
    bend = dice.between(0.35, 0.5)
    line = [
        *arc(-0.6, 0.1, 0.25, bend, 180, 0),
        *arc(-0.1, 0.1, 0.25, bend, 180, 360),
        *arc(0.4, 0.1, 0.25, bend, 180, 0),
    ]
    return [
        *stroke([(0.7, -0.3), (1.05, -0.38)], 0.05, Tone.LIGHT),
        *stroke([*line, (0.65, -0.25)], 0.22),
        *oval(0.7, -0.3, 0.2, 0.16),
        *oval(0.75, -0.35, 0.05, 0.05, Tone.DARK),
    ]


def _spiral(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    turns = [
        arc(x, y, radius * (1 - step / 7), radius * (1 - step / 7), 90 * step, 90 * step + 90)
        for step in range(6)
    ]
    return [point for turn in turns for point in turn]
