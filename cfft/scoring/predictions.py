"""The predictions of a model for the images of a set, in memory and on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cfft.errors import DataError
from cfft.runtime.arrays import require_sound_arrays
from cfft.runtime.files import replacing

_FORM = "kind and dimensions of the stored array"


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return tuple(values.tolist() if isinstance(values, np.ndarray) else values)


@attrs.frozen(eq=False)
class Predictions:
    """Hold a model's predictions for a set; an .npz file has an array for each field.

    `logits`: [N, K], float32. `labels`: [N], int64. `names`: one per image. `classes`: the
    indices that may occur in the set. `stands_for`: [K], int64: the label that each class stands
    for, itself unless the set says otherwise (ImageSet.counts_as). All on the CPU. `origins`: the
    image that each is a version of, empty where each stands for itself (ImageSet.origins).
    """

    logits: Tensor = attrs.field(converter=torch.as_tensor, metadata={_FORM: ("f", 2)})
    labels: Tensor = attrs.field(converter=torch.as_tensor, metadata={_FORM: ("i", 1)})
    names: tuple[str, ...] = attrs.field(converter=_as_tuple, metadata={_FORM: ("U", 1)})
    classes: tuple[int, ...] = attrs.field(converter=_as_tuple, metadata={_FORM: ("i", 1)})
    stands_for: Tensor = attrs.field(converter=torch.as_tensor, metadata={_FORM: ("i", 1)})
    origins: tuple[str, ...] = attrs.field(
        default=(), converter=_as_tuple, metadata={_FORM: ("U", 1)}
    )

    @stands_for.default
    def _themselves(self) -> Tensor:
        return torch.arange(self.logits.shape[1])

    @property
    def original(self) -> NDArray[np.int64]:
        """The number of the image that each is a version of, counted from 0: [N], int64."""
        names: Sequence[Any] = self.origins or range(len(self.labels))
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names], dtype=np.int64)

    def save(self, path: Path) -> None:
        """Replace an .npz file, without pickles, in one stroke.

        Nothing is compressed: logits hardly get smaller, and it takes longer than all other work.
        """
        arrays = attrs.asdict(self, value_serializer=_as_array)
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path, known: int | None = None) -> Predictions:
        """Read what `save` wrote; raises DataError naming `path` for anything else.

        `known`: how many classes the logits have to be of, where that is written elsewhere.
        """
        with _opened(path) as stored:
            found = cls(**{f.name: _read(f, stored) for f in attrs.fields(cls) if f.name in stored})
            found._check()
        columns = found.logits.shape[1]
        if known is not None and columns != known:
            raise DataError(f"{path}: logits of {columns} classes, but {known} are named beside it")
        return found

    def _check(self) -> None:
        """Raise ValueError where the parts contradict each other."""
        rows, columns = self.logits.shape
        counts = (rows, len(self.labels), len(self.names), len(self.origins or self.names))
        if not rows or len({*counts}) > 1:
            raise ValueError("{} rows of logits, {} labels, {} names, {} origins".format(*counts))
        wrong = not_finite(self.logits, self.names)
        if wrong is not None:
            raise ValueError(wrong)
        if len(self.stands_for) != columns:
            raise ValueError(f"logits of {columns} classes, stands_for of {len(self.stands_for)}")
        found = {*self.labels.tolist(), *self.classes, *self.stands_for.tolist()}
        outside = found - {*range(columns)}
        if outside:
            raise ValueError(f"logits of {columns} classes, but class {min(outside)} occurs")


def read_images(path: Path) -> tuple[list[str], list[int]]:
    """Return the names and labels of the images that predictions are of, without the logits.

    Raises DataError naming `path` for anything else.
    """
    with _opened(path) as stored:
        return stored["names"].tolist(), stored["labels"].tolist()


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    try:
        require_sound_arrays(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            yield stored
    except Exception as error:  # numpy raises a dozen kinds for files that are damaged
        why = str(error) or type(error).__name__
        raise DataError(f"{path}: no predictions that cfft wrote ({why})") from error


def _as_array(_: Any, field: attrs.Attribute[Any], value: Any) -> NDArray[Any]:
    if isinstance(value, Tensor):
        return value.numpy()
    return np.array(value, {"U": np.str_, "i": np.int64}[field.metadata[_FORM][0]])


def _read(field: attrs.Attribute[Any], stored: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    values = stored[field.name]
    if (values.dtype.kind, values.ndim) != field.metadata[_FORM]:
        raise ValueError(f"{field.name} of type {values.dtype} and shape {list(values.shape)}")
    return values


def chosen_labels(predictions: Predictions) -> Tensor:
    """Return the label that the largest logit among the set's classes stands for: [N], int64."""
    classes = torch.tensor(predictions.classes)
    return predictions.stands_for[classes[predictions.logits[:, classes].argmax(dim=1)]]


def correct_images(predictions: Predictions) -> Tensor:
    """Return whether top-1 is right for each image: [N], bool."""
    return chosen_labels(predictions) == predictions.labels


def not_finite(logits: Tensor, images: Sequence[str]) -> str | None:
    """Say for which images logits [N, K] are not finite; None where all are."""
    broken = (~logits.isfinite()).any(dim=1).nonzero().flatten().tolist()
    if not broken:
        return None
    return (
        f"logits are not finite (NaN or infinite) for {len(broken)} of {len(images)} images, "
        f"the first is {images[broken[0]]}"
    )
