"""What models take for what: confusion matrices from stored predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_confusion_matrix

from cfft.errors import DataError
from cfft.evaluate import Predictions, chosen_labels
from cfft.report.records import OOD, Model

LARGEST_MAP = 40
_MOST_PAIRS = 10


@attrs.frozen(eq=False)
class Confusion:
    """Hold how often a model took class i for class j on one set.

    `counts`: [C, C], int64, rows are true. `classes`: the C class names.
    """

    model: str
    set: str
    classes: tuple[str, ...]
    counts: NDArray[np.int64]

    @property
    def pairs(self) -> list[tuple[str, str, int, float]]:
        """The most frequent mistakes: true class, chosen class, pictures, share of the true."""
        mistakes = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-mistakes, axis=None, kind="stable")[:_MOST_PAIRS]
        cells = zip(*np.unravel_index(order, mistakes.shape), strict=True)
        return [self._pair(int(row), int(column)) for row, column in cells if mistakes[row, column]]

    def _pair(self, row: int, column: int) -> tuple[str, str, int, float]:
        count, of = int(self.counts[row, column]), int(self.counts[row].sum())
        return self.classes[row], self.classes[column], count, count / of

    @property
    def is_drawable(self) -> bool:
        """Whether the classes are few enough for a heat map that can be read."""
        return len(self.classes) <= LARGEST_MAP


def confusions(models: Sequence[Model], classes: Mapping[str, Sequence[str]]) -> list[Confusion]:
    """Return one per model and OOD set with predictions; `classes`: class names by source.

    Sources without class names have indices. Raises DataError for files that cfft did not write.
    """
    return [found for model in models for found in _of(model, classes.get(model.source, ()))]


def _of(model: Model, classes: Sequence[str]) -> Iterator[Confusion]:
    for name, path in model.predictions.items():
        if model.sets[name].role == OOD:
            used, counts = _count(path)
            if classes and int(used[-1]) >= len(classes):
                raise DataError(f"{path}: has class {int(used[-1])}, of {len(classes)} classes")
            names = tuple(classes[i] if classes else str(i) for i in used)
            yield Confusion(model.label, name, _unique(names, used), counts)


def _count(path: Path) -> tuple[list[int], NDArray[np.int64]]:
    """Return the class indices that occur in a set, in order, and the counts among them."""
    saved = Predictions.load(path)
    chosen = chosen_labels(saved)
    used, places = torch.unique(torch.stack([saved.labels, chosen]), return_inverse=True)
    counts = multiclass_confusion_matrix(places[1], places[0], num_classes=len(used))
    return used.tolist(), counts.numpy()


def _unique(names: Sequence[str], indices: Sequence[int]) -> tuple[str, ...]:
    """Add the index to class names that occur twice."""
    return tuple(
        f"{name} ({index})" if names.count(name) > 1 else name
        for name, index in zip(names, indices, strict=True)
    )
