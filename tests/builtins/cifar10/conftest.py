"""CIFAR-10's files as they are published: pickled batches, and pairs of arrays."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Pixels = Callable[[int], NDArray[np.uint8]]
Write = Callable[..., None]


def _pixels(count: int) -> NDArray[np.uint8]:
    return np.repeat(np.arange(count, dtype=np.uint8), 32 * 32 * 3).reshape(-1, 32, 32, 3)


@pytest.fixture
def pixels() -> Pixels:
    """Return `pixels(count)`: images [N, 32, 32, 3], each of one shade: its place."""
    return _pixels


@pytest.fixture
def write_batch() -> Write:
    """Return `write_batch(path, labels, data=None)`, which pickles rows [N, 3072] as published."""

    def write(path: Path, labels: Sequence[int], data: Any = None) -> None:
        path.parent.mkdir(exist_ok=True)
        drawn = _pixels(len(labels)).transpose(0, 3, 1, 2).reshape(-1, 3072)
        rows = drawn if data is None else data
        path.write_bytes(pickle.dumps({b"data": rows, b"labels": list(labels)}, protocol=2))

    return write


@pytest.fixture
def write_pairs() -> Write:
    """Return `write_pairs(folder, stem, labels)`: STEM_data.npy and STEM_labels.npy."""

    def write(folder: Path, stem: str, labels: Sequence[int]) -> None:
        folder.mkdir(exist_ok=True)
        np.save(folder / f"{stem}_data.npy", _pixels(len(labels)))
        np.save(folder / f"{stem}_labels.npy", np.array(labels, dtype=np.int32))

    return write


@pytest.fixture
def write_corruption() -> Write:
    """Return `write_corruption(folder, name, labels, count=10)`: a stack and the labels."""

    def write(folder: Path, name: str, labels: Sequence[int], count: int = 10) -> None:
        folder.mkdir(exist_ok=True)
        np.save(folder / f"{name}.npy", _pixels(count))
        np.save(folder / "labels.npy", np.array(labels))

    return write
