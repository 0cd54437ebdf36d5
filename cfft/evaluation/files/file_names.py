"""Names of models and configurations as names of files."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from cfft.data.consistency import LONGEST_NAME, file_identity
from cfft.runtime.files import numbered

_DIGEST = 12  # hexadecimal digits


def own_file_name(name: str, taken: Iterable[str]) -> str:
    """Return a name as a file name that no file system takes for one of `taken`.

    What is too long ends with a digest of all of it; equal ones end with a number, from 2 on.
    """
    stem, known = _file_name(name), set(map(file_identity, taken))
    return next(own for own in numbered(stem) if file_identity(own) not in known)


def _file_name(name: str) -> str:
    plain = re.sub(r"[^\w.=+-]+", "-", unicodedata.normalize("NFC", name)).strip("-.") or "model"
    if len(plain.encode()) <= LONGEST_NAME:
        return plain
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{plain.encode()[: LONGEST_NAME - _DIGEST - 1].decode(errors='ignore')}-{digest}"
