"""Write facts about a model so that they can be compared as text."""

from __future__ import annotations

from collections.abc import Sequence


def sizes(pair: tuple[int, int]) -> str:
    """Write (H, W) as HxW."""
    return "x".join(map(str, pair))


def numbers(values: Sequence[float]) -> str:
    """Write numbers with the six digits that matter."""
    return ", ".join(f"{value:.6g}" for value in values)


def three(values: Sequence[float]) -> tuple[float, float, float]:
    """Return one number per colour; raises ValueError for any other count."""
    red, green, blue = values
    return float(red), float(green), float(blue)
