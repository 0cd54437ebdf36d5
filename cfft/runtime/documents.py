"""Text, JSON and TOML from files: read within bounds, or an error that says why not."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cfft.runtime.files import decoded
from cfft.runtime.outside import restored

MOST_BYTES = 1 << 30
"""Bytes that a text file may have: annotations of a large data set have half as many."""
DEEPEST = 64
"""Levels of lists and tables that a file may nest."""
_MOST_DIGITS = 40
_BITS = 64
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
# the parser takes the square of their number
_LONG_KEY = re.compile(rf"(?:^|[{{,\[])[ \t]*{_PART}(?:[ \t]*\.[ \t]*{_PART}){{{DEEPEST},}}", re.M)
_TOO_DEEP = f"lists or tables are nested more than {DEEPEST} deep"


def read_text_file(path: Path, most: int = MOST_BYTES) -> str:
    """Return the UTF-8 text of a file.

    Raises FileNotFoundError, and ValueError whose message goes on after the name of the file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise ValueError(f"has more than {most:,} bytes")
    text = decoded(content)
    if content.count(0) > len(content) // 3:
        raise ValueError("is UTF-16: save it as UTF-8")  # without its mark
    if "\0" in text:
        raise ValueError("holds NUL characters, which no text has")
    return text


def parse_json(text: str) -> Any:
    """Parse JSON; raises ValueError, also for what is too deep or has numbers of many digits."""
    if not text.strip():
        raise ValueError("it is empty")
    try:
        found = json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check_depth(found)
    return found


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML, names in `toml_text` restored; raises ValueError as `parse_json` does."""
    if _LONG_KEY.search(text):
        raise ValueError(_TOO_DEEP)
    try:
        found = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python refuses to convert so many digits
        raise ValueError(f"a whole number has more than {_BITS} bits") from None
    _check_depth(found)
    table: dict[str, Any] = _restored(found)
    return table


def read_json_file(path: Path) -> Any:
    """Parse a JSON file; raises FileNotFoundError and ValueError as `read_text_file` does."""
    return parse_json(read_text_file(path))


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a whole number has {len(digits):,} digits")
    return int(digits)


def _check_depth(content: Any) -> None:
    level = [content]
    for _ in range(DEEPEST + 1):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)):
        parts = value.values() if isinstance(value, dict) else value
        yield from (part for part in parts if isinstance(part, (dict, list)))


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        return {restored(key): _restored(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_restored(inner) for inner in value]
    if isinstance(value, str):
        return restored(value)
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise ValueError(f"a whole number has more than {_BITS} bits")
    return value
