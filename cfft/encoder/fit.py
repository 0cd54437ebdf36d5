"""Differences between the tensors that a model has and those that a file gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from torch import Tensor

_SHOWN = 3


def differences(expected: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> str:
    """Describe in one line how names and shapes differ; empty where they do not."""
    shapes = [
        f"{key} is {list(got[key].shape)} instead of {list(tensor.shape)}"
        for key, tensor in expected.items()
        if key in got and got[key].shape != tensor.shape
    ]
    found = {
        "of another shape": shapes,
        "missing": [key for key in expected if key not in got],
        "unexpected": [key for key in got if key not in expected],
    }
    return "; ".join(f"{len(keys)} {sort} ({few(keys)})" for sort, keys in found.items() if keys)


def few(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(islice(names, _SHOWN)) + (", ..." if len(names) > _SHOWN else "")
