"""Accuracies that are no better than guessing."""

from __future__ import annotations

from cfft.scoring.results import SetResult

_NEGLIGIBLE = 0.01
"""Of the way from chance to 1, what a model may be above chance and yet of no use."""


def chance(found: SetResult) -> float | None:
    """Return the accuracy of guessing evenly among the classes of a set, None if unknown."""
    return 1 / found.classes if found.classes else None


def is_near_chance(found: SetResult) -> bool:
    """Tell whether a model does no better on a set than guessing.

    That is so where chance lies in the 95 % interval of top-1 or above it, or where top-1 is above
    chance by a hundredth of what it could be. Where so few images were measured that the interval
    reaches halfway from chance to 1, they tell nothing and it is not so; nor with a single class.
    """
    guessing = chance(found)
    if guessing is None or guessing == 1 or found.ci95 is None:
        return False
    low, high = found.ci95
    if high > (guessing + 1) / 2:
        return False
    return low <= guessing or found.top1 - guessing < _NEGLIGIBLE * (1 - guessing)
