"""Differences between the tensors that a model has and those that a file gives."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from cfft.errors import shortened_list

_SHOWN = 3  # of names as long as parameters have


def differ_in_one(expected: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> bool:
    """Tell whether names agree, and all shapes but one, as with another grid of patches."""
    if expected.keys() != got.keys():
        return False
    return sum(got[name].shape != expected[name].shape for name in got) == 1


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
    told = ((len(keys), sort, shortened_list(keys, _SHOWN)) for sort, keys in found.items() if keys)
    return "; ".join(f"{count} {sort} ({names})" for count, sort, names in told)
