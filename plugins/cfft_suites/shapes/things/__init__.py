"""Every thing that the world can draw; the task's classes come first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cfft_suites.shapes.dice import Dice
from cfft_suites.shapes.outline import Outline

from . import animals, home, places, plants, tools

CLASSES: Mapping[str, Callable[[Dice], Outline]] = {
    "key": tools.key,
    "hammer": tools.hammer,
    "axe": tools.axe,
    "scissors": tools.scissors,
    "guitar": tools.guitar,
    "mug": home.mug,
    "teapot": home.teapot,
    "bottle": home.bottle,
    "wineglass": home.wineglass,
    "umbrella": home.umbrella,
    "mushroom": plants.mushroom,
    "chair": home.chair,
    "boot": home.boot,
    "fish": animals.fish,
    "bird": animals.bird,
    "butterfly": animals.butterfly,
    "snail": animals.snail,
    "rabbit": animals.rabbit,
    "fir": plants.conifer,
    "cactus": plants.cactus,
    "sailboat": places.sailboat,
    "car": places.car,
    "truck": places.truck,
    "airplane": places.airplane,
}

OTHERS: Mapping[str, Callable[[Dice], Outline]] = {
    "cat": animals.cat,
    "turtle": animals.turtle,
    "whale": animals.whale,
    "snake": animals.snake,
    "leaf": plants.leaf,
    "apple": plants.apple,
    "pear": plants.pear,
    "flower": plants.flower,
    "banana": plants.banana,
    "spoon": tools.spoon,
    "fork": tools.fork,
    "pencil": tools.pencil,
    "sword": tools.sword,
    "anchor": tools.anchor,
    "ladder": tools.ladder,
    "bell": tools.bell,
    "table": home.table,
    "lamp": home.lamp,
    "clock": home.clock,
    "candle": home.candle,
    "bulb": home.bulb,
    "glasses": home.glasses,
    "hat": home.hat,
    "crown": home.crown,
    "envelope": home.envelope,
    "bicycle": places.bicycle,
    "house": places.house,
    "tent": places.tent,
    "balloon": places.balloon,
    "flag": places.flag,
    "star": places.starlet,
    "heart": places.heart,
    "moon": places.moon,
    "lighthouse": places.tower,
    "windmill": places.windmill,
}

THINGS: Mapping[str, Callable[[Dice], Outline]] = {**CLASSES, **OTHERS}
