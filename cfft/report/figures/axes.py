"""The plane of ID and OOD accuracy that models are drawn in."""

from __future__ import annotations

import altair as alt

SIZE = {"width": 260, "height": 220}
_TITLES = {"robustness": "effective robustness, points", "series": "configuration"}


def percent(share: float | None) -> float | None:
    """Return a share as figures hold it: in percent, to two places."""
    return None if share is None else round(100 * share, 2)


def axes(id_set: str) -> tuple[alt.X, alt.Y]:
    """Return the axes for the fields `id` and `ood`, in percent."""
    wide = alt.Scale(zero=False, nice=True, padding=12)
    return (
        alt.X("id:Q", title=f"{id_set} (ID), top-1 in percent", scale=wide),
        alt.Y("ood:Q", title="OOD, top-1 in percent", scale=wide),
    )


def tooltip(id_set: str, *names: str) -> list[alt.Tooltip]:
    """Return what is said of a mark: the fields `names`, then both accuracies."""
    return [
        *(alt.Tooltip(f"{name}:N", title=_TITLES.get(name, name)) for name in names),
        alt.Tooltip("id:Q", title=f"{id_set} (ID), %", format=".1f"),
        alt.Tooltip("ood:Q", title="OOD, %", format=".1f"),
    ]
