"""Tensors whose values lie in a temporary file, for what may be larger than the host's memory."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

_PIECE = 1 << 20  # bytes


def mapped_zeros(shape: Sequence[int], dtype: torch.dtype, near: Path | None = None) -> Tensor:
    """Return a tensor of zeros on the CPU whose pages the system writes to disk where it has to.

    The file has no name, so that nothing is left of it once the tensor or the process is gone,
    however it ends. It lies in `near` or the nearest folder above it that can be written to; or
    else where the system keeps temporary files. All of it is reserved at once: raises OSError that
    names the folder where there is no room.
    """
    folder = _folder(near)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            _reserve(file, math.prod(shape) * dtype.itemsize)
        except OSError as error:
            error.filename = error.filename or str(folder)
            raise
        array = torch.empty(0, dtype=dtype).numpy()
        return torch.from_numpy(np.memmap(file, array.dtype, "r+", shape=tuple(shape)))


def _folder(near: Path | None) -> Path:
    above = () if near is None else (near.absolute(), *near.absolute().parents)
    fitting = (place for place in above if place.is_dir() and os.access(place, os.W_OK | os.X_OK))
    return next(fitting, Path(tempfile.gettempdir()))


def _reserve(file: IO[bytes], size: int) -> None:
    """Make a file of zeros; where the disk were full later, writing to a page would end us."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, _PIECE):
        file.write(bytes(min(_PIECE, size - start)))
    file.flush()
