"""What a model said of the images of a set, in memory and on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cfft.errors import DataError

_FORMS = {
    "logits": ("f", 2),
    "labels": ("i", 1),
    "names": ("U", 1),
    "classes": ("i", 1),
    "stands_for": ("i", 1),
    "origins": ("U", 1),
}
"""Kind of type and number of dimensions by array."""


@attrs.frozen(eq=False)
class Predictions:
    """Hold what a model says of a set.

    `logits`: [N, K], float32. `labels`: [N], int64. `names`: one per image. `classes`: the
    indices that may occur in the set. `stands_for`: [K], int64: the label that each class stands
    for, itself unless the set says otherwise (ImageSet.counts_as). All on the CPU. `origins`: the
    image that each is a version of, empty where each stands for itself (ImageSet.origins).
    """

    logits: Tensor
    labels: Tensor
    names: tuple[str, ...]
    classes: tuple[int, ...]
    stands_for: Tensor = attrs.field()
    origins: tuple[str, ...] = ()

    @stands_for.default
    def _themselves(self) -> Tensor:
        return torch.arange(self.logits.shape[1])

    @property
    def original(self) -> NDArray[np.int64]:
        """The number of the image that each is a version of, from 0 as they come: [N]."""
        names: Sequence[Any] = self.origins or range(len(self.labels))
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names], dtype=np.int64)

    def save(self, path: Path) -> None:
        """Write logits, labels, names and classes as arrays of an .npz file, without pickles.

        Nothing is compressed: logits hardly get smaller, and it takes longer than all other work.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            logits=self.logits.numpy(),
            labels=self.labels.numpy(),
            names=np.array(self.names, dtype=np.str_),
            classes=np.array(self.classes, dtype=np.int64),
            stands_for=self.stands_for.numpy(),
            origins=np.array(self.origins, dtype=np.str_),
        )

    @classmethod
    def load(cls, path: Path, known: int | None = None) -> Predictions:
        """Read what `save` wrote; raises DataError naming `path` for anything else.

        `known`: how many classes the logits have to be of, where that is written elsewhere.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                found = cls._from_arrays(dict(stored))
        except Exception as error:  # numpy raises a dozen kinds for files that are damaged
            why = str(error) or type(error).__name__
            raise DataError(f"{path}: no predictions that cfft wrote ({why})") from error
        columns = found.logits.shape[1]
        if known is not None and columns != known:
            raise DataError(f"{path}: logits of {columns} classes, but {known} are named beside it")
        return found

    @classmethod
    def _from_arrays(cls, stored: Mapping[str, NDArray[Any]]) -> Predictions:
        for name in stored:
            _check_form(name, stored[name])
        logits, labels = (torch.from_numpy(stored[name]) for name in ("logits", "labels"))
        names, classes = (tuple(stored[name].tolist()) for name in ("names", "classes"))
        origins = tuple(stored["origins"].tolist()) if "origins" in stored else ()
        if not len(logits) == len(labels) == len(names) == len(origins or names):
            raise ValueError(
                f"{len(logits)} rows of logits, {len(labels)} labels, {len(names)} names, "
                f"{len(origins)} origins"
            )
        found = cls(logits, labels, names, classes, origins=origins)
        if "stands_for" in stored:
            found = attrs.evolve(found, stands_for=torch.from_numpy(stored["stands_for"]))
        if not len(logits) or len(found.stands_for) != logits.shape[1]:
            raise ValueError(
                f"logits [N, K] of shape {list(logits.shape)}, but "
                f"{len(found.stands_for)} classes that stand for others"
            )
        wrong = not_finite(logits, names)
        if wrong is not None:
            raise ValueError(wrong)
        known = range(logits.shape[1])
        outside = {*labels.tolist(), *classes, *found.stands_for.tolist()} - {*known}
        if outside:
            raise ValueError(f"logits of {len(known)} classes, but class {min(outside)} occurs")
        return found


def read_images(path: Path) -> tuple[list[str], list[int]]:
    """Return the names and labels of the images that predictions are of, without the logits.

    Raises DataError naming `path` for anything else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return stored["names"].tolist(), stored["labels"].tolist()
    except Exception as error:  # numpy raises a dozen kinds for files that are damaged
        why = str(error) or type(error).__name__
        raise DataError(f"{path}: no predictions that cfft wrote ({why})") from error


def _check_form(name: str, values: NDArray[Any]) -> None:
    kind, dimensions = _FORMS.get(name, (values.dtype.kind, values.ndim))
    if (values.dtype.kind, values.ndim) != (kind, dimensions):
        raise ValueError(f"{name} of type {values.dtype} and shape {list(values.shape)}")


def chosen_labels(predictions: Predictions) -> Tensor:
    """Return the label that the largest logit among the set's classes stands for: [N], int64."""
    classes = torch.tensor(predictions.classes)
    return predictions.stands_for[classes[predictions.logits[:, classes].argmax(dim=1)]]


def correct_images(predictions: Predictions) -> Tensor:
    """Tell of each image whether top-1 is right: [N], bool."""
    return chosen_labels(predictions) == predictions.labels


def not_finite(logits: Tensor, images: Sequence[str]) -> str | None:
    """Say which logits [N, K] are no finite numbers, None where all are."""
    broken = (~logits.isfinite()).any(dim=1).nonzero().flatten().tolist()
    if not broken:
        return None
    return (
        f"logits are not finite (NaN or infinite) for {len(broken)} of {len(images)} images, "
        f"the first is {images[broken[0]]}"
    )
