"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from cfft.scoring.spread import Spread


def percent(share: float | None) -> str:
    """Spell a share of 0..1 in percent; a dash where there is none."""
    return "-" if share is None else f"{100 * share:.1f}"


def points(before: float | None, after: float | None) -> str:
    """Spell the difference of two shares in percentage points, with its sign."""
    if before is None or after is None:
        return "-"
    return f"{100 * (after - before):+z.1f}"


def interval(ends: tuple[float, float] | None) -> str:
    """Spell a confidence interval of shares in percent; a dash where there is none."""
    return "-" if ends is None else f"{percent(ends[0])} to {percent(ends[1])}"


def spread(found: Spread | None) -> str:
    """Spell mean and standard deviation of shares in percent; a dash where there is none."""
    if found is None:
        return "-"
    return percent(found.mean) + ("" if found.std is None else f" ± {percent(found.std)}")


def duration(seconds: float) -> str:
    """Spell a time as hours:minutes:seconds."""
    return str(timedelta(seconds=round(seconds)))


def brief(seconds: float) -> str:
    """Spell a time in seconds up to a minute, and as hours:minutes:seconds from there on."""
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def measurements(metrics: Mapping[str, float]) -> list[str]:
    """Spell what a step measured."""
    return [_measurement(name, value) for name, value in metrics.items()]


def _measurement(name: str, value: float) -> str:
    if name == "images_per_second":
        return f"{value:.3g} images/s"
    return f"{name.replace('_', ' ')} {value:.4g}"
