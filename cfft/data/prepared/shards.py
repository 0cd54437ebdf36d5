"""Shards of prepared images: pixels in one file, and in another what each row was made of."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

from cfft.data.file_states import STATE_BYTES, FileState

DIGEST_BYTES = 16
ROW = np.dtype(
    [("path", "<u8"), ("state", f"V{STATE_BYTES}"), ("digest", f"V{DIGEST_BYTES}")], align=False
)
_PIXELS, _ROWS = ".pixels", ".rows"
_HEAD = sha256().digest_size


@attrs.frozen(eq=False)
class Shard:
    """Hold a shard: `rows` [R] of ROW, and the file of `pixels`, R times as many bytes as a row."""

    pixels: Path
    rows: NDArray[np.void] = attrs.field(repr=False)

    def damaged(self, row_bytes: int) -> bool:
        """Tell by reading it whether a row differs from its digest."""
        with self.pixels.open("rb") as file:
            return any(
                digest_of(file.read(row_bytes)) != row["digest"].tobytes() for row in self.rows
            )

    def remove(self) -> None:
        """Remove both files: first the one without which the other means nothing."""
        rows_beside(self.pixels).unlink(missing_ok=True)
        self.pixels.unlink(missing_ok=True)


def shards_in(folder: Path, row_bytes: int) -> Iterator[Shard | Path]:
    """Yield the shards of a folder in order, and the file of pixels of each that is damaged.

    What a shard's rows hold is checked by their digest; of the pixels, the size alone. One that is
    being written is none yet.
    """
    unfinished = set(incomplete(folder))
    for pixels in sorted({*folder.glob(f"[0-9]*{_PIXELS}")} - unfinished):
        rows = _read(rows_beside(pixels))
        whole = rows is not None and os.path.getsize(pixels) == len(rows) * row_bytes
        yield Shard(pixels, rows) if whole and rows is not None else pixels


def incomplete(folder: Path) -> list[Path]:
    """Return the files of pixels that nothing is said of: their rows are written last."""
    found = folder.glob(f"[0-9]*{_PIXELS}")
    return [pixels for pixels in found if not rows_beside(pixels).exists()]


def next_shard(folder: Path) -> Path:
    """Return the file of pixels of a new shard, behind all that are there."""
    numbers = (int(path.stem) for path in folder.glob(f"[0-9]*{_PIXELS}") if path.stem.isdecimal())
    return folder / f"{max(numbers, default=-1) + 1:06}{_PIXELS}"


def rows_beside(pixels: Path) -> Path:
    """Return the file that says what the rows of a file of pixels were made of."""
    return pixels.with_suffix(_ROWS)


def row_of(state: FileState, pixels: bytes | memoryview) -> bytes:
    """Return what a shard says of an image."""
    return state.path.to_bytes(8, "little") + state.state + digest_of(pixels)


def rows_file(rows: Sequence[bytes]) -> bytes:
    """Return the content of a file of rows."""
    body = b"".join(rows)
    return sha256(body).digest() + body


def digest_of(pixels: bytes | memoryview) -> bytes:
    """Return the digest of an image's pixels, which takes a tenth of a millisecond at 224."""
    return sha256(pixels).digest()[:DIGEST_BYTES]


def _read(file: Path) -> NDArray[np.void] | None:
    try:
        content = file.read_bytes()
    except OSError:
        return None
    body = content[_HEAD:]
    if sha256(body).digest() != content[:_HEAD] or not body or len(body) % ROW.itemsize:
        return None
    return np.frombuffer(body, ROW)
