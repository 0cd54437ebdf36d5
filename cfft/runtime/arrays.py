"""Arrays in .npy and .npz files: their declared sizes, looked at before anything is read."""

from __future__ import annotations

import math
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np

MOST_PACKED = 20
"""How many times its file what an archive unpacks to may be."""
_ALWAYS_ALLOWED = 1 << 28  # bytes that an archive may unpack to, however small it is
_LONGEST_HEADER = 10_000  # as in NumPy
_PREFIXES = {1: "<H", 2: "<I", 3: "<I"}  # the length of the header by the format's version


def require_sound_arrays(path: Path) -> None:
    """Raise ValueError for an .npy or .npz file that declares more than it holds.

    So does one with an archive that unpacks to gigabytes from a few megabytes: what cfft writes is
    not compressed, and images hardly get smaller. Files of other kinds pass. Raises OSError.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(len(np.lib.format.MAGIC_PREFIX))
        file.seek(0)
        if start.startswith(b"PK"):
            _require_sound_archive(file, size)
        elif start == np.lib.format.MAGIC_PREFIX:
            _require_sound_array(file, size, "it")


def _require_sound_archive(file: IO[bytes], size: int) -> None:
    try:
        with ZipFile(file) as archive:
            parts = archive.infolist()
            _require_unpackable(parts, size)
            for part in parts:
                with archive.open(part) as stored:
                    _require_sound_array(stored, part.file_size, Path(part.filename).stem)
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise ValueError(str(error)) from error


def _require_unpackable(parts: list[ZipInfo], size: int) -> None:
    unpacked = sum(part.file_size for part in parts)
    if unpacked > max(_ALWAYS_ALLOWED, MOST_PACKED * size):
        raise ValueError(
            f"it would unpack from {_megabytes(size)} to {_megabytes(unpacked)}, over "
            f"{MOST_PACKED} times as much: if it is good, store it without compression"
        )


def _require_sound_array(file: IO[bytes], size: int, name: str) -> None:
    """Raise ValueError where an array's header declares more than the `size` bytes that it has."""
    start = file.read(8)
    if start[:6] != np.lib.format.MAGIC_PREFIX or len(start) < 8 or start[6] not in _PREFIXES:
        return  # NumPy says what it is not
    prefix = _PREFIXES[start[6]]
    packed = file.read(struct.calcsize(prefix))
    length = struct.unpack(prefix, packed)[0] if len(packed) == struct.calcsize(prefix) else 0
    if length > _LONGEST_HEADER:
        raise ValueError(f"{name} has a header of {length:,} bytes")
    header = BytesIO(packed + file.read(length))
    # formats 2 and 3 differ in the encoding of names of fields alone
    read = np.lib.format.read_array_header_1_0
    shape, _, dtype = (read if start[6] == 1 else np.lib.format.read_array_header_2_0)(header)
    declared = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and declared > size - len(start) - len(packed) - length:
        raise ValueError(
            f"{name} is declared as {dtype} {list(shape)}, {_megabytes(declared)}, and has "
            f"{_megabytes(size)}"
        )


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
