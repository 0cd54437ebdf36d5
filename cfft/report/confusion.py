"""Confusion matrices from stored predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from cfft.data.folders import composed
from cfft.errors import DataError
from cfft.report.outcomes import Outcome, Place, read_outcome
from cfft.report.sources.records import OOD, ReportedModel
from cfft.report.summary import Group

LARGEST_MAP = 40
_PAIRS_BESIDE_A_MAP = 10
_PAIRS_ALONE = 30


@attrs.frozen
class Pair:
    """Hold a mistake: the true class, the chosen one, how often, as a share of the true class.

    `images`: per model, so the mean over the seeds of a configuration.
    """

    true: str
    chosen: str
    images: float
    share: float


@attrs.frozen(eq=False)
class Confusion:
    """Hold how often the models of a configuration took class i for class j on one set.

    `counts`: [C, C], int64, rows are true, summed over the models. `classes`: the C class names,
    of those that are true or chosen somewhere. `models`: how many there are, one per seed.
    """

    group: str
    set: str
    classes: tuple[str, ...]
    counts: csr_array
    models: int

    @property
    def is_drawable(self) -> bool:
        """Tell whether the classes are few enough for a heat map that can be read."""
        return len(self.classes) <= LARGEST_MAP

    @property
    def images(self) -> float:
        return float(self.counts.sum()) / self.models

    @property
    def mistaken(self) -> float:
        """Count those of them that a model took for another class, on average over models."""
        return self.images - float(self.counts.trace()) / self.models

    def pairs(self) -> list[Pair]:
        """Return the most frequent mistakes, of equally frequent ones the larger shares first.

        Ten beside a heat map, thirty without one.
        """
        cells = self.counts.tocoo()
        wrong = np.flatnonzero(cells.row != cells.col)
        true, chosen, counts = cells.row[wrong], cells.col[wrong], cells.data[wrong]
        shares = counts / self.counts.sum(axis=1)[true]
        order = np.lexsort((-shares, -counts))
        return [
            Pair(
                self.classes[true[i]],
                self.classes[chosen[i]],
                float(counts[i]) / self.models,
                float(shares[i]),
            )
            for i in order[: _PAIRS_BESIDE_A_MAP if self.is_drawable else _PAIRS_ALONE]
        ]


def confusions(
    groups: Sequence[Group],
    classes: Mapping[str, Sequence[str]],
    outcomes: Mapping[Place, Outcome] = MappingProxyType({}),
) -> list[Confusion]:
    """Return one per configuration and OOD set with predictions; `classes`: names by source.

    `outcomes`: those that were read before, by model and set. Weight ensembles have none. Sources
    without class names have indices. Raises DataError for files that cfft did not write, and for
    models of a configuration whose classes differ.
    """
    found = []
    for group in (group for group in groups if group.alpha is None):
        for name in dict.fromkeys(name for model in group.models for name in _ood(model)):
            measured = [model for model in group.models if name in _ood(model)]
            shared = _shared_classes(measured, classes)
            read = [outcomes.get((model.label, name)) for model in measured]
            found.append(_confusion(group.name, name, measured, shared, read))
    return found


def _ood(model: ReportedModel) -> list[str]:
    return [name for name in model.files if model.sets[name].role == OOD]


def _shared_classes(
    models: Sequence[ReportedModel], classes: Mapping[str, Sequence[str]]
) -> Sequence[str]:
    first, *others = ((model, classes.get(model.source, ())) for model in models)
    for model, names in others:
        if [*map(composed, names)] != [*map(composed, first[1])]:
            raise DataError(
                f"{model.source} has other classes than {first[0].source}, though both are "
                f"'{model.group}': report them separately"
            )
    return first[1]


def _confusion(
    group: str,
    name: str,
    models: Sequence[ReportedModel],
    classes: Sequence[str],
    read: Sequence[Outcome | None],
) -> Confusion:
    pairs = zip(models, read, strict=True)
    taken = [_taken(model, name, classes, outcome) for model, outcome in pairs]
    labels, chosen = np.concatenate(taken, axis=1)
    used, places = np.unique([labels, chosen], return_inverse=True)
    rows, columns = places.reshape(2, -1)
    ones = np.ones(len(rows), dtype=np.int64)
    counts = coo_array((ones, (rows, columns)), shape=(len(used), len(used))).tocsr()
    names = [classes[index] if classes else str(index) for index in used.tolist()]
    return Confusion(group, name, _unique(names, used.tolist()), counts, len(models))


def _taken(
    model: ReportedModel, name: str, classes: Sequence[str], read: Outcome | None
) -> NDArray[np.int64]:
    """Return true and chosen class of each image of a set: [2, N]."""
    path = model.files[name]
    outcome = read or read_outcome(path, name, model.label_space or "subset")
    found = np.stack([outcome.labels, outcome.chosen])
    if classes and found.max() >= len(classes):
        raise DataError(f"{path}: has class {found.max()}, of {len(classes)} classes")
    return found


def _unique(names: Sequence[str], indices: Sequence[int]) -> tuple[str, ...]:
    return tuple(
        f"{name} ({index})" if names.count(name) > 1 else name
        for name, index in zip(names, indices, strict=True)
    )
