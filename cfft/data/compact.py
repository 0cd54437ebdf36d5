"""Long series of texts and whole numbers in a few bytes each, which processes can share.

A list of a million strings takes a hundred bytes a string, and again in each forked process: to
look at a string is to write its count of references.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

_CODING = "utf-8", "surrogatepass"  # names of files need not be UTF-8
_AT_ONCE = 4096


class Texts(Sequence[str]):
    """Hold texts in order, one after another in UTF-8; equal to any sequence of the same texts."""

    __slots__ = ("_content", "_ends")
    _content: bytes
    _ends: NDArray[np.int64]

    def __init__(self, texts: Iterable[str]) -> None:
        if isinstance(texts, Texts):
            self._content, self._ends = texts._content, texts._ends
            return
        content, lengths = bytearray(), []
        for text in texts:
            encoded = text.encode(*_CODING)
            content += encoded
            lengths.append(len(encoded))
        self._content = bytes(content)
        self._ends = np.cumsum([0, *lengths], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        place = range(len(self))[index]
        start, end = self._ends[place : place + 2].tolist()
        text: str = self._content[start:end].decode(*_CODING)
        return text

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _AT_ONCE):
            ends = self._ends[first : first + _AT_ONCE + 1].tolist()
            for start, end in pairwise(ends):
                yield self._content[start:end].decode(*_CODING)

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Texts({_first(self)})"


class Numbers(Sequence[int]):
    """Hold whole numbers in order, 8 bytes each; equal to any sequence of the same numbers."""

    __slots__ = ("_values",)

    def __init__(self, numbers: Iterable[int]) -> None:
        own = numbers._values if isinstance(numbers, Numbers) else np.fromiter(numbers, np.int64)
        self._values: NDArray[np.int64] = own

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[int, ...]: ...
    def __getitem__(self, index: int | slice) -> int | tuple[int, ...]:
        found = self._values[index].tolist()
        return tuple(found) if isinstance(index, slice) else int(found)

    def __iter__(self) -> Iterator[int]:
        for first in range(0, len(self), _AT_ONCE):
            yield from self._values[first : first + _AT_ONCE].tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self._values, dtype=dtype)

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Numbers({_first(self)})"


class Batches(Sequence[list[int]]):
    """Hold batches of indices in order, 8 bytes an index; equal to any sequence of the same lists.

    `parts`: arrays [S, n], whose rows come in turns: the first of each, then the second of each.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[NDArray[np.int64]]) -> None:
        self._parts = tuple(parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @overload
    def __getitem__(self, index: int) -> list[int]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[list[int], ...]: ...
    def __getitem__(self, index: int | slice) -> list[int] | tuple[list[int], ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        step, part = divmod(range(len(self))[index], len(self._parts))
        found: list[int] = self._parts[part][step].tolist()
        return found

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Batches({_first(self)})"


def _equal(series: Sequence[Any], other: object) -> bool:
    if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
        return False
    return len(series) == len(other) and all(a == b for a, b in zip(series, other, strict=True))


def _first(series: Sequence[Any]) -> str:
    shown = ", ".join(map(repr, series[:3]))
    return f"[{shown}{', ...' if len(series) > 3 else ''}] of {len(series):,}"
