"""Captions: what a noisy web would say of an image."""

from __future__ import annotations

import attrs

from cfft_suites.shapes.dice import Dice
from cfft_suites.shapes.things import THINGS

SYNONYMS = {
    "fir": ("fir", "fir tree", "christmas tree"),
    "airplane": ("airplane", "aeroplane", "plane"),
    "truck": ("truck", "lorry"),
    "car": ("car", "automobile"),
    "sailboat": ("sailboat", "sailing boat"),
    "mug": ("mug", "cup"),
    "wineglass": ("wineglass", "wine glass"),
    "bulb": ("bulb", "light bulb"),
    "rabbit": ("rabbit", "bunny"),
    "mushroom": ("mushroom", "toadstool"),
}

_STYLES = {  # what cfft-mini was trained on: data, not our wording
    "photo": ("photo", "picture", "photograph", "snapshot", "close-up"),
    "flat": ("icon", "clip art", "graphic", "picture"),
    "cartoon": ("cartoon", "comic", "illustration"),
    "stencil": ("silhouette", "stencil", "cut-out"),
    "inverted": ("negative", "inverted picture"),
    "mosaic": ("mosaic", "pixel art", "embroidery"),
    "sketch": ("sketch", "drawing", "line drawing", "doodle"),
}
_COLOURLESS = frozenset({"sketch", "inverted"})  # styles that do not show the object's colour
_PATTERNS = (
    "{style} of a {thing}",
    "a {style} of the {thing}",
    "{thing} {scene}",
    "a {colour}{thing} {scene}",
    "a {style} of a {colour}{thing} {scene}",
    "{colour}{thing}, {style}",
    "my {colour}{thing}",
    "this {thing} is {scene}",
    "look at the {colour}{thing}",
    "one {thing} on its own {scene}",
)


@attrs.frozen
class Facts:
    """Hold what a caption may tell of an image."""

    thing: str
    style: str
    colour: str
    scene: str


def caption(facts: Facts, templates: list[str], dice: Dice) -> str:
    """Say something of the image; `templates` have {} for the thing, half of all use one."""
    thing = dice.pick(SYNONYMS.get(facts.thing, (facts.thing,)))
    if dice.chance(0.5):
        return dice.pick(templates).format(thing)
    colour = f"{facts.colour} " if facts.style not in _COLOURLESS and dice.chance(0.7) else ""
    scene = dice.pick(("with {}", "in front of {}", "and {}")).format(facts.scene)
    style = dice.pick(_STYLES[facts.style])
    return dice.pick(_PATTERNS).format(thing=thing, colour=colour, scene=scene, style=style)


def mistaken(facts: Facts, share: float, dice: Dice) -> Facts:
    """Return the facts with another thing's name in this share of all cases."""
    if not dice.chance(share):
        return facts
    return attrs.evolve(facts, thing=dice.pick(tuple(THINGS)))
