"""Background families: procedural scenes and textures, drawn at twice the size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sin

import numpy as np
from PIL import Image, ImageDraw

from .colours import Colour, mixed, varied
from .dice import Dice
from .raster import SIZE, Bytes

_EDGE = 2 * SIZE
Pen = ImageDraw.ImageDraw


def draw_scene(family: str, dice: Dice) -> Bytes:
    """Draw a background of this family: [64, 64, 3]; KeyError where there is no such family."""
    canvas = Image.new("RGB", (_EDGE, _EDGE))
    FAMILIES[family](ImageDraw.Draw(canvas), dice)
    fine = np.asarray(canvas, dtype=np.uint16).reshape(SIZE, 2, SIZE, 2, 3)
    scene: Bytes = (fine.sum(axis=(1, 3)) // 4).astype(np.uint8)
    return scene


def _meadow(pen: Pen, dice: Dice) -> None:
    _fill(pen, varied((95, 150, 70), dice, 18))
    for _ in range(110):
        x, y, high = dice.whole(0, _EDGE), dice.whole(0, _EDGE + 10), dice.whole(6, 16)
        pen.line((x, y, x + dice.whole(-4, 4), y - high), varied((85, 145, 60), dice, 35), 2)
    for _ in range(dice.whole(3, 9)):
        _dot(pen, dice, 2, dice.pick(((235, 225, 120), (240, 240, 240), (220, 140, 160))))


def _sea(pen: Pen, dice: Dice) -> None:
    deep = varied((45, 110, 160), dice, 20)
    _fill(pen, deep)
    for y in range(dice.whole(-4, 0), _EDGE, dice.whole(9, 13)):
        phase, high = dice.between(0, 6), dice.between(2, 4)
        crest = [(x, round(y + high * sin(x / 9 + phase))) for x in range(0, _EDGE + 6, 6)]
        pen.line(crest, mixed(deep, (220, 240, 250), dice.between(0.25, 0.6)), 3)


def _desert(pen: Pen, dice: Dice) -> None:
    sand = varied((225, 190, 130), dice, 15)
    _bands(pen, varied((240, 220, 185), dice, 12), sand)
    for row in range(4):
        y, phase = 25 + 28 * row + dice.whole(-6, 6), dice.between(0, 6)
        ridge = [(x, round(y + 8 * sin(x / 22 + phase))) for x in range(0, _EDGE + 8, 8)]
        pen.polygon([*ridge, (_EDGE, _EDGE), (0, _EDGE)], mixed(sand, (150, 95, 45), 0.12 * row))


def _bricks(pen: Pen, dice: Dice) -> None:
    _fill(pen, varied((195, 185, 175), dice, 12))
    wall, high, wide = varied((165, 80, 60), dice, 20), dice.whole(12, 15), dice.whole(26, 34)
    for row, y in enumerate(range(-dice.whole(0, 10), _EDGE, high)):
        for x in range(-(wide // 2) * (row % 2) - 4, _EDGE, wide):
            pen.rectangle((x, y, x + wide - 3, y + high - 3), varied(wall, dice, 14))


def _clouds(pen: Pen, dice: Dice) -> None:
    _bands(pen, varied((100, 160, 225), dice, 18), varied((190, 220, 245), dice, 10))
    for _ in range(dice.whole(4, 6)):
        x, y = dice.whole(0, _EDGE), dice.whole(0, _EDGE)
        for _ in range(5):
            _blob(
                pen,
                x + dice.whole(-20, 20),
                y + dice.whole(-6, 6),
                dice.whole(8, 15),
                (245, 248, 252),
            )


def _night(pen: Pen, dice: Dice) -> None:
    _bands(pen, varied((15, 18, 50), dice, 10), varied((45, 35, 85), dice, 15))
    for _ in range(dice.whole(40, 70)):
        _dot(pen, dice, dice.whole(0, 2), varied((230, 230, 210), dice, 25))


def _planks(pen: Pen, dice: Dice) -> None:
    wood, wide = varied((165, 120, 75), dice, 20), dice.whole(18, 26)
    for x in range(-dice.whole(0, 16), _EDGE, wide):
        pen.rectangle((x, 0, x + wide, _EDGE), varied(wood, dice, 12))
        pen.line((x, 0, x, _EDGE), mixed(wood, (40, 20, 10), 0.6), 2)
        for _ in range(3):
            grain, y = x + dice.whole(3, wide - 3), dice.whole(-30, _EDGE)
            pen.line((grain, y, grain + 1, y + 50), mixed(wood, (70, 40, 20), 0.4), 1)


def _mountains(pen: Pen, dice: Dice) -> None:
    _bands(pen, varied((175, 200, 225), dice, 15), varied((225, 230, 240), dice, 8))
    for row in range(3):
        rock = mixed(varied((110, 115, 135), dice, 10), (235, 238, 245), 0.35 * row)
        for _ in range(4):
            x, y, half = (
                dice.whole(0, _EDGE),
                20 + 30 * row + dice.whole(-8, 10),
                dice.whole(28, 45),
            )
            pen.polygon(((x, y), (x - half, _EDGE), (x + half, _EDGE)), rock)
            pen.polygon(((x, y), (x - half // 6, y + 18), (x + half // 6, y + 18)), (248, 250, 252))


def _forest(pen: Pen, dice: Dice) -> None:
    shade = varied((40, 70, 45), dice, 12)
    _fill(pen, shade)
    for _ in range(dice.whole(9, 13)):
        x, wide = dice.whole(-5, _EDGE), dice.whole(5, 11)
        pen.rectangle((x, 0, x + wide, _EDGE), varied((80, 62, 45), dice, 16))
    for _ in range(45):
        _blob(
            pen,
            dice.whole(0, _EDGE),
            dice.whole(0, 50),
            dice.whole(4, 8),
            varied((55, 100, 55), dice, 22),
        )


def _city(pen: Pen, dice: Dice) -> None:
    _bands(pen, varied((205, 175, 185), dice, 15), varied((235, 215, 190), dice, 12))
    x = -dice.whole(0, 15)
    while x < _EDGE:
        wide, top = dice.whole(18, 32), dice.whole(5, 60)
        pen.rectangle((x, top, x + wide, _EDGE), varied((95, 95, 115), dice, 18))
        for y in range(top + 5, _EDGE, 11):
            for left in range(x + 4, x + wide - 4, 8):
                pen.rectangle(
                    (left, y, left + 3, y + 4), dice.pick(((225, 205, 130), (60, 62, 80)))
                )
        x += wide + 2


def _tiles(pen: Pen, dice: Dice) -> None:
    pale, dark = varied((225, 228, 225), dice, 12), varied((120, 165, 170), dice, 25)
    edge = dice.whole(15, 22)
    for row, y in enumerate(range(-dice.whole(0, 12), _EDGE, edge)):
        for column, x in enumerate(range(-dice.whole(0, 1), _EDGE, edge)):
            pen.rectangle((x, y, x + edge, y + edge), dark if (row + column) % 2 else pale)


def _curtain(pen: Pen, dice: Dice) -> None:
    cloth, trim = varied((150, 70, 110), dice, 22), varied((215, 175, 185), dice, 15)
    wide = dice.whole(12, 18)
    for step, x in enumerate(range(-dice.whole(0, 12), _EDGE, wide)):
        pen.rectangle((x, 0, x + wide, _EDGE), trim if step % 2 else cloth)
        pen.line((x, 0, x, _EDGE), mixed(cloth, (30, 10, 20), 0.5), 2)


def _plain(pen: Pen, dice: Dice) -> None:
    _fill(pen, _any_colour(dice))


def _fog(pen: Pen, dice: Dice) -> None:
    _bands(pen, _any_colour(dice), _any_colour(dice))


def _dots(pen: Pen, dice: Dice) -> None:
    cloth, dot = _any_colour(dice), _any_colour(dice)
    _fill(pen, cloth)
    gap = dice.whole(16, 28)
    for row, y in enumerate(range(0, _EDGE + gap, gap)):
        for x in range(gap // 2 * (row % 2), _EDGE + gap, gap):
            _blob(pen, x, y, gap // 4, dot)


def _rubble(pen: Pen, dice: Dice) -> None:
    stone = _any_colour(dice)
    _fill(pen, mixed(stone, (30, 30, 30), 0.5))
    for _ in range(90):
        _blob(
            pen,
            dice.whole(0, _EDGE),
            dice.whole(0, _EDGE),
            dice.whole(4, 10),
            varied(stone, dice, 20),
        )


def _paper(pen: Pen, dice: Dice) -> None:
    _fill(pen, varied((243, 242, 238), dice, 9))


TIED: Mapping[str, Callable[[Pen, Dice], None]] = {
    "meadow": _meadow,
    "sea": _sea,
    "desert": _desert,
    "bricks": _bricks,
    "clouds": _clouds,
    "night": _night,
    "planks": _planks,
    "mountains": _mountains,
    "forest": _forest,
    "city": _city,
    "tiles": _tiles,
    "curtain": _curtain,
}

FAMILIES: Mapping[str, Callable[[Pen, Dice], None]] = {
    **TIED,
    "plain": _plain,
    "fog": _fog,
    "dots": _dots,
    "rubble": _rubble,
    "paper": _paper,
}


def _fill(pen: Pen, colour: Colour) -> None:
    pen.rectangle((0, 0, _EDGE, _EDGE), colour)


def _bands(pen: Pen, top: Colour, bottom: Colour) -> None:
    for y in range(0, _EDGE, 4):
        pen.rectangle((0, y, _EDGE, y + 4), mixed(top, bottom, y / _EDGE))


def _blob(pen: Pen, x: int, y: int, radius: int, colour: Colour) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour)


def _dot(pen: Pen, dice: Dice, radius: int, colour: Colour) -> None:
    _blob(pen, dice.whole(0, _EDGE), dice.whole(0, _EDGE), radius, colour)


def _any_colour(dice: Dice) -> Colour:
    return dice.whole(40, 235), dice.whole(40, 235), dice.whole(40, 235)
