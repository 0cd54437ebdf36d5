"""Memory of image files that could be read, so that no run decodes them again to find out."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import attrs
import numpy as np
import PIL
from numpy.typing import NDArray

from cfft.data.decoding import megapixels, side_ratio
from cfft.data.file_states import STATE_BYTES, FileState, file_state
from cfft.runtime.caches import cache_folder
from cfft.runtime.files import replacing

DIGEST_BYTES = 16
_VERSION = 1  # of what is checked: another one forgets everything
_ENTRY = np.dtype(
    [("path", "<u8"), ("state", f"V{STATE_BYTES}"), ("digest", f"V{DIGEST_BYTES}")], align=False
)
_HEAD = sha256().digest_size
_FORGOTTEN = 90 * 24 * 3600  # seconds after its last use


@attrs.frozen(eq=False)
class KnownImages:
    """Hold the states of files below a folder that could be read, with digests of their content.

    `entries`: [N] of `_ENTRY`, sorted by path. `rules`: the bounds and versions that decide whether
    an image can be read.
    """

    file: Path
    rules: str
    entries: NDArray[np.void] = attrs.field(repr=False)
    paths: NDArray[np.uint64] = attrs.field(init=False, repr=False)

    @paths.default
    def _paths(self) -> NDArray[np.uint64]:
        return np.ascontiguousarray(self.entries["path"])

    @classmethod
    def below(cls, root: Path) -> KnownImages:
        """Return what is remembered of a folder, nothing where the memory is damaged or absent."""
        place = os.path.abspath(root)
        name = sha256(place.encode(errors="surrogateescape")).hexdigest()[:32]
        file = cache_folder("checked") / name
        rules = f"{_VERSION} {megapixels()} {side_ratio()} {PIL.__version__}"
        return cls(file, rules, _read(file))

    def state(self, path: Path) -> FileState | None:
        """Return the state of a file as it is now, None where it is not there."""
        return file_state(os.path.abspath(path), self.rules)

    def digest(self, state: FileState) -> bytes | None:
        """Return the digest of a file's content, None unless it is known in this state."""
        place = int(np.searchsorted(self.paths, np.uint64(state.path)))
        if place == len(self.paths) or int(self.paths[place]) != state.path:
            return None
        _, known, digest = self.entries[place]
        return digest.tobytes() if known.tobytes() == state.state else None

    def remember(self, new: Sequence[bytes]) -> None:
        """Add what `entry` made, in place of earlier entries of the same paths.

        Where that cannot be written it is forgotten.
        """
        if not any(new):
            return
        made = np.frombuffer(b"".join(new), _ENTRY)
        # another process may have written meanwhile; of equal paths the first one stays
        whole = np.concatenate([made[::-1], _read(self.file)])
        _, places = np.unique(whole["path"], return_index=True)
        content = whole[places].tobytes()
        with suppress(OSError):
            with replacing(self.file) as partial:
                partial.write_bytes(sha256(content).digest() + content)
            _forget_old(self.file.parent)


def entry(state: FileState, digest: bytes) -> bytes:
    """Return what `remember` takes of a file that could be read."""
    return state.path.to_bytes(8, "little") + state.state + digest


def _read(file: Path) -> NDArray[np.void]:
    try:
        content = file.read_bytes()
        with suppress(OSError):
            os.utime(file)  # it is in use
    except OSError:
        content = b""
    head, body = content[:_HEAD], memoryview(content)[_HEAD:]
    if sha256(body).digest() != head or len(body) % _ENTRY.itemsize:
        return np.empty(0, _ENTRY)
    return np.frombuffer(body, _ENTRY)


def _forget_old(folder: Path) -> None:
    for file in folder.iterdir():
        with suppress(OSError):
            if file.stat().st_mtime < time.time() - _FORGOTTEN:
                file.unlink()
