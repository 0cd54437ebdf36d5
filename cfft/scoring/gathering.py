"""Gather one output row per image from all processes, in dataset order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

HELD_BYTES = 2**24
"""Bytes of rows that stay on a device before they move to the host's memory: 16 MiB."""

IN_MEMORY_BYTES = 2**30
"""Bytes of rows that a set may take of the host's memory: 1 GiB. More lie in a file."""


class Allocate(Protocol):
    """Make a tensor on the host."""

    def __call__(self, shape: tuple[int, ...], *, dtype: torch.dtype) -> Tensor: ...


def in_memory(shape: tuple[int, ...], *, dtype: torch.dtype) -> Tensor:
    """Make a tensor in the host's memory."""
    return torch.empty(shape, dtype=dtype)


def own_indices(images: int, process: int, processes: int) -> list[int]:
    """Return the images of one process: every `processes`-th one.

    All processes get equally many; the last image is repeated where they do not come out even.
    """
    each = -(-images // processes)
    own = range(process, each * processes, processes)
    return [min(index, images - 1) for index in own]


def in_order(gathered: Tensor, processes: int) -> Tensor:
    """Sort rows that were gathered process by process into dataset order: [N, ...]."""
    by_process: Tensor = gathered.unflatten(0, (processes, -1))  # [processes, rows, ...]
    return by_process.transpose(0, 1).flatten(0, 1)


class GatheredRows:
    """Collect one row per image on the host, out of the shares that `own_indices` gives.

    `gather` joins a tensor of every process along its first dimension: all add equally many rows
    at a time. Rows stay on the device until there are `held_bytes` of them, so that most batches
    need no synchronisation; what gathers and sorts them is as large for each process. On the host
    nothing is kept twice: `allocate` gives the tensor that holds all of them.
    """

    def __init__(
        self,
        images: int,
        processes: int,
        gather: Callable[[Tensor], Tensor],
        held_bytes: int = HELD_BYTES,
        allocate: Allocate = in_memory,
    ) -> None:
        self.images, self.processes = images, processes
        self._gather, self._held_bytes, self._allocate = gather, held_bytes, allocate
        self._held: list[Tensor] = []
        self._all: Tensor | None = None
        self._stored = 0

    def add(self, rows: Tensor) -> None:
        """Take the next rows of this process: [B, ...], on its device."""
        self._held.append(rows)
        if sum(held.nbytes for held in self._held) >= self._held_bytes:
            self._store()

    def all(self) -> Tensor:
        """Return the rows of all images in dataset order, on the CPU: [N, ...]; ends the adding."""
        if self._held:
            self._store()
        if self._all is None:
            raise ValueError("no rows were added")
        return self._all

    @property
    def added(self) -> int:
        """The number of images that all processes have added, at most all there are."""
        held = self.processes * sum(map(len, self._held))
        return min(self._stored + held, self.images)

    def _store(self) -> None:
        """Move what is held to the host: its images follow one another in the whole."""
        rows = in_order(self._gather(torch.cat(self._held)), self.processes)
        self._held.clear()
        if self._all is None:
            self._all = self._allocate((self.images, *rows.shape[1:]), dtype=rows.dtype)
        end = min(self._stored + len(rows), self.images)
        self._all[self._stored : end] = rows[: end - self._stored]
        self._stored = end
