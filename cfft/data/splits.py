"""Seeded splits that keep the share of every class.

Not scikit-learn's `train_test_split`: it refuses classes with one image, leaves small classes out
of small parts, and splits in two only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

import torch

from cfft.errors import ConfigError, DataError, counted, shortened_list
from cfft.runtime.randomness import generator


def stratified_split(
    labels: Sequence[int],
    shares: Sequence[float],
    seed: int,
    class_names: Sequence[str] | None = None,
) -> list[list[int]]:
    """Split indices into parts by `shares`, each class separately.

    `shares`: one number >= 0 per part, relative to their sum: 70, 10, 20 or 0.7, 0.1, 0.2. Every
    class has at least one image in each part whose share is not 0, and otherwise less than one
    more or less than its share. Indices are sorted within a part. The draw of one class does not
    depend on the others. Raises DataError for classes with fewer images than parts, by their
    `class_names` where given, and ConfigError for shares that are negative or all 0.
    """
    if min(shares, default=0) < 0 or not 0 < sum(shares) < float("inf"):
        raise ConfigError(
            f"shares of a split: got {list(shares)}; none may be < 0, one must be > 0"
        )
    classes = _by_class(labels)
    needed = [share for share in shares if share > 0]
    small = [
        f"'{class_names[label] if class_names else label}' has {counted(len(indices), 'image')}"
        for label, indices in classes.items()
        if len(indices) < len(needed)
    ]
    if small:
        raise DataError(
            f"too few images to give each of {len(needed)} parts "
            f"({'/'.join(f'{share:g}' for share in needed)}) one of every class: "
            f"{shortened_list(small)}: add images, or leave these classes out"
        )
    parts: list[list[int]] = [[] for _ in shares]
    for label, indices in classes.items():
        shuffled = _shuffled(indices, seed, "split", label)
        start = 0
        for part, count in zip(parts, _apportion(len(indices), shares), strict=True):
            part += shuffled[start : start + count]
            start += count
    return [sorted(part) for part in parts]


def stratified_subset(
    labels: Sequence[int], n: int, seed: int, *, every_class: bool = True
) -> list[int]:
    """Draw `n` indices with the class shares of the whole, sorted; all of them if fewer exist.

    Every class keeps at least one. Where `n` is less than the number of classes, that many classes
    are drawn, unless `every_class` has to be there: then it raises ConfigError.
    """
    if n >= len(labels):
        return list(range(len(labels)))
    classes = _by_class(labels)
    if n < len(classes) and not every_class:
        kept = _shuffled(list(classes), seed, "subset of classes", 0)[:n]
        classes = {label: classes[label] for label in sorted(kept)}
    if n < len(classes):
        raise ConfigError(
            f"{n} training images are too few for {len(classes)} classes; take {len(classes)} "
            "or more (--limit-train)"
        )
    counts = _apportion(n, [len(indices) for indices in classes.values()])
    drawn = zip(classes.items(), counts, strict=True)
    return sorted(
        index
        for (label, indices), count in drawn
        for index in _shuffled(indices, seed, "subset", label)[:count]
    )


def _by_class(labels: Sequence[int]) -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        found[label].append(index)
    return dict(sorted(found.items()))


def _shuffled(indices: Sequence[int], seed: int, purpose: str, label: int) -> list[int]:
    order = torch.randperm(len(indices), generator=generator(seed, purpose, step=label))
    return [indices[place] for place in order.tolist()]


def _apportion(total: int, shares: Sequence[float]) -> list[int]:
    """Divide `total` by the method of largest remainders, with one at least for a share > 0.

    Fractions, so that 70/10/20 and 0.7/0.1/0.2 break ties alike; the earlier part wins them.
    """
    exact = [Fraction(share).limit_denominator(10**9) for share in shares]
    whole = sum(exact)
    quotas = [total * share / whole for share in exact]
    counts = [max(int(quota), int(quota > 0)) for quota in quotas]
    places = range(len(counts))
    for i in sorted(places, key=lambda i: counts[i] - quotas[i])[: max(0, total - sum(counts))]:
        counts[i] += 1
    while sum(counts) > total:
        spare = (i for i in places if counts[i] > 1)
        counts[max(spare, key=lambda i: counts[i] - quotas[i])] -= 1
    return counts
