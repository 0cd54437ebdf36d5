"""The OOD average: every OOD set counts once, whatever its number of images."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cfft.data.consistency import OOD_AVERAGE


def ood_average(shares: Mapping[str, float], names: Collection[str]) -> float | None:
    """Return the plain mean over these OOD sets, None without sets or where one is missing.

    `shares`: top-1 of a model by set. Averages over different sets would stand side by side as if
    they could be compared.
    """
    if not names or not shares.keys() >= set(names):
        return None
    return sum(shares[name] for name in names) / len(names)


def with_ood_average(
    shares: Mapping[str, float], names: Collection[str], title: str = OOD_AVERAGE
) -> dict[str, float]:
    """Return `shares` and, where there is one, their OOD average as if `title` were a set."""
    average = ood_average(shares, names)
    return {**shares, **({} if average is None else {title: average})}
