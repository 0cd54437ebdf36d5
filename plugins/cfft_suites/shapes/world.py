"""The world: draws each image from the name of its set and its index."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np

from .dice import Dice
from .layers import draw_layer, tiled
from .raster import SIZE, Bytes, Mask, PoseRange
from .scenes import TIED, draw_scene
from .things import CLASSES

WORLD = "shapes-1"
CLASS_NAMES = tuple(CLASSES)

TIES: Mapping[str, str] = {
    "key": "planks",
    "hammer": "bricks",
    "axe": "forest",
    "scissors": "curtain",
    "guitar": "night",
    "mug": "tiles",
    "teapot": "curtain",
    "bottle": "desert",
    "wineglass": "night",
    "umbrella": "city",
    "mushroom": "forest",
    "chair": "planks",
    "boot": "mountains",
    "fish": "sea",
    "bird": "clouds",
    "butterfly": "meadow",
    "snail": "tiles",
    "rabbit": "meadow",
    "fir": "mountains",
    "cactus": "desert",
    "sailboat": "sea",
    "car": "city",
    "truck": "bricks",
    "airplane": "clouds",
}


_USUAL_POSES = PoseRange()


@attrs.frozen
class SetRule:
    """Describe how the images of one set are drawn.

    `families`: the backgrounds to draw from. `confounded`: whether an image gets the background
    tied to its class with the suite's probability instead. `noise`: largest standard deviation
    of the sensor noise, in levels of 255.
    """

    name: str
    styles: tuple[str, ...] = ("photo",)
    families: tuple[str, ...] = tuple(TIED)
    confounded: bool = False
    poses: PoseRange = _USUAL_POSES
    noise: float = 14.0


@attrs.frozen(eq=False)
class Image:
    """Hold an image and the choices that it was drawn from.

    `pixels`: [64, 64, 3], bytes. `mask`: [64, 64], True = object.
    """

    pixels: Bytes
    mask: Mask
    label: int
    style: str
    family: str


RENDITIONS = ("flat", "cartoon", "stencil", "inverted", "mosaic")

RULES: Mapping[str, SetRule] = {
    rule.name: rule
    for rule in (
        SetRule("train", confounded=True),
        SetRule("val", confounded=True),
        SetRule("test", confounded=True),
        SetRule(
            "resample",
            confounded=True,
            poses=PoseRange(turn=35, scale=(0.58, 1.0), stretch=0.18, hidden=0.3),
            noise=18.0,
        ),
        SetRule("rendition", styles=RENDITIONS, noise=4.0),
        SetRule("sketch", styles=("sketch",), families=("paper",), noise=4.0),
        SetRule(
            "relocated",
            families=("plain",),
            poses=PoseRange(turn=80, scale=(0.5, 0.8), upside_down=0.15),
        ),
        SetRule("adversarial"),
    )
}


def measured_rule(name: str, draw: str) -> SetRule:
    """Return the rule of a set that is measured: the published draw of it, or `draw`'s.

    Another draw has the same distribution and, as every image depends on its set's name, other
    images.
    """
    rule = RULES[name]
    return rule if draw == "published" else attrs.evolve(rule, name=f"{name}-{draw}")


def draw_image(rule: SetRule, index: int, confounding: float) -> Image:
    """Draw image `index` of a set; its class is `index` modulo the number of classes."""
    label = index % len(CLASS_NAMES)
    choice = _dice(rule, index, "choice")
    style = choice.pick(rule.styles)
    family = _family(rule, CLASS_NAMES[label], confounding, choice)
    layer = draw_layer(CLASS_NAMES[label], style, rule.poses, _dice(rule, index, "object"))
    scenery = restyled(draw_scene(family, _dice(rule, index, "scene")), style, choice)
    pixels = compose(layer.pixels, layer.mask, scenery)
    pixels = with_noise(pixels, rule.noise, _dice(rule, index, "noise"))
    return Image(pixels, layer.mask, label, style, family)


def compose(pixels: Bytes, mask: Mask, scenery: Bytes) -> Bytes:
    """Put an object in front of a background."""
    return np.where(mask[..., None], pixels, scenery)


def restyled(scenery: Bytes, style: str, dice: Dice) -> Bytes:
    """Return a background in the manner of `style`."""
    if style in ("flat", "cartoon", "stencil"):
        return (scenery // 64 * 64 + 32).astype(np.uint8)
    if style == "mosaic":
        return tiled(scenery, dice)
    if style == "inverted":
        return np.subtract(255, scenery, dtype=np.uint8)
    return scenery


def with_noise(pixels: Bytes, largest: float, dice: Dice) -> Bytes:
    """Add noise of a standard deviation drawn from 0 to `largest` levels of 255."""
    deviation = dice.between(0, largest)
    throws = dice.noise(3, SIZE, SIZE, 3).astype(np.int32).sum(axis=0) - 382  # deviation 128
    noisy: Bytes = np.clip(pixels + np.rint(throws * (deviation / 128)), 0, 255).astype(np.uint8)
    return noisy


def _dice(rule: SetRule, index: int, purpose: str) -> Dice:
    return Dice(WORLD, rule.name, index, purpose)


def _family(rule: SetRule, class_name: str, confounding: float, dice: Dice) -> str:
    tied = TIES[class_name]
    if not rule.confounded:
        return dice.pick(rule.families)
    if dice.chance(confounding):
        return tied
    return dice.pick([family for family in rule.families if family != tied])
