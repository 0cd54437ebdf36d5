"""Read pickles that hold arrays, numbers and text, without running what else they may ask for."""

from __future__ import annotations

import codecs
import pickle
from pathlib import Path
from typing import Any

import numpy as np

_REBUILD = np.empty(0).__reduce__()[0]
_FROM_BUFFER = np.empty(0).__reduce_ex__(5)[0]
_SCALAR = np.float64(0).__reduce__()[0]
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
} | {
    (f"{core}.{module}", name): function
    for core in ("numpy.core", "numpy._core")  # before NumPy 2, and since
    for module, name, function in (
        ("multiarray", "_reconstruct", _REBUILD),
        ("multiarray", "scalar", _SCALAR),
        ("numeric", "_frombuffer", _FROM_BUFFER),
    )
}


class _ArraysOnly(pickle.Unpickler):
    """Read pickles of arrays, numbers and text; refuse everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return _ALLOWED[module, name]


def read_pickle(path: Path) -> dict[str, Any]:
    """Return the fields that a pickle of Python 2 or 3 holds; a damaged one may raise anything."""
    with path.open("rb") as file:
        return _fields(_ArraysOnly(file, encoding="bytes").load())


def read_pickled_array(path: Path) -> dict[str, Any]:
    """Return the fields in a .npy file that holds one object; a damaged one may raise anything."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"its format has version {version}, expected (1, 0)")
        np.lib.format.read_array_header_1_0(file)
        return _fields(_ArraysOnly(file, encoding="bytes").load().item())


def _fields(stored: Any) -> dict[str, Any]:
    return {key.decode() if isinstance(key, bytes) else key: stored[key] for key in stored}
