"""Text files of the user, as spreadsheets and editors save them."""

from __future__ import annotations

import codecs
from pathlib import Path


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, with or without a byte-order mark.

    Raises OSError, and ValueError for another encoding.
    """
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("the file is UTF-16: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8: save the file as UTF-8") from None
