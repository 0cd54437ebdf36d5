"""Read pickles that hold arrays, numbers and text, without running what else they may ask for.

NumPy's own functions and types are not handed to a pickle: some of them take its bytes for the
addresses of objects. Where it asks for them it gets stand-ins, which know plain types alone.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_PLAIN = re.compile(r"[biufSU]\d+")  # numbers and text
_ORDERS = ("<", ">", "=", "|")
_OBJECT = "O8"


class _Type:
    """Stand for a NumPy type, by its name without the order of bytes."""

    def __init__(self, name: Any) -> None:
        self.name, self.order = _text(name), "="
        if self.name != _OBJECT and not _PLAIN.fullmatch(self.name):
            raise pickle.UnpicklingError(f"it has values of type '{self.name}', which no batch has")

    def __setstate__(self, state: Any) -> None:
        _, order, subarray, names, fields, *_ = state
        self.order = _text(order)
        if self.order not in _ORDERS or (subarray, names, fields) != (None, None, None):
            raise pickle.UnpicklingError("it has values of several parts, which no batch has")

    def read(self, data: Any) -> Any:
        """Return an array [N] of the values in bytes; raises ValueError, TypeError."""
        return np.frombuffer(data, np.dtype(self.order + self.name))  # refuses objects


class _Array:
    """Stand for a NumPy array: `content` is one of plain values, or the object that it holds."""

    def __init__(self, content: Any = None) -> None:
        self.content = content

    def __setstate__(self, state: Any) -> None:
        _, shape, values, by_column, data = state
        if isinstance(data, list):
            (self.content,) = data
        else:
            self.content = values.read(data).reshape(shape, order="F" if by_column else "C")


def _type(name: Any, *_: Any) -> _Type:
    return _Type(name)


def _rebuilt(*_: Any) -> _Array:
    return _Array()


def _from_buffer(
    data: Any, values: Any, shape: Any, order: Any, axes: Sequence[int] | None = None
) -> _Array:
    if axes is None:
        return _Array(values.read(data).reshape(shape, order=_text(order)))
    return _Array(values.read(data).reshape(shape).transpose(axes))


def _scalar(values: Any, data: Any) -> Any:
    return values.read(data)[0].item()


def _bytes(text: Any, _encoding: Any) -> bytes:
    return str(text).encode("latin1")


_STAND_INS = {
    ("numpy", "ndarray"): None,  # named beside `_reconstruct`, never called
    ("numpy", "dtype"): _type,
    ("_codecs", "encode"): _bytes,
} | {
    (f"{core}.{module}", name): stand_in
    for core in ("numpy.core", "numpy._core")  # before NumPy 2, and since
    for module, name, stand_in in (
        ("multiarray", "_reconstruct", _rebuilt),
        ("multiarray", "scalar", _scalar),
        ("numeric", "_frombuffer", _from_buffer),
    )
}


class _ArraysOnly(pickle.Unpickler):
    """Read pickles of arrays, numbers and text; refuse everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return _STAND_INS[module, name]


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
        return _fields(_content(_ArraysOnly(file, encoding="bytes").load()))


def _fields(stored: Any) -> dict[str, Any]:
    return {_text(key): _content(stored[key]) for key in stored}


def _content(value: Any) -> Any:
    return value.content if isinstance(value, _Array) else value


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value
