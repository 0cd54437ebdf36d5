"""Colours as (red, green, blue), 0 to 255, drawn or varied."""

from __future__ import annotations

from collections.abc import Mapping

from .dice import Dice

Colour = tuple[int, int, int]

NAMED: Mapping[str, Colour] = {
    "red": (205, 45, 40),
    "orange": (235, 130, 35),
    "yellow": (240, 205, 55),
    "green": (60, 155, 65),
    "teal": (40, 160, 160),
    "blue": (50, 95, 205),
    "purple": (130, 65, 170),
    "pink": (235, 130, 175),
    "brown": (130, 85, 50),
    "white": (238, 236, 230),
    "grey": (140, 140, 145),
    "black": (40, 40, 46),
}


def varied(colour: Colour, dice: Dice, spread: float) -> Colour:
    """Return the colour with each channel moved by up to `spread` levels."""
    red, green, blue = (channel + dice.between(-spread, spread) for channel in colour)
    return _level(red), _level(green), _level(blue)


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Return `first` with `share` of `second` mixed in."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return _level(red), _level(green), _level(blue)


def _level(value: float) -> int:
    return max(0, min(255, round(value)))
