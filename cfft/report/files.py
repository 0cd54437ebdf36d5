"""Read JSON lines and records, with errors that say where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import cattrs

from cfft.errors import DataError

T = TypeVar("T")


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through the objects of a JSON-lines file with their places, "FILE, line 3".

    Raises DataError with the number of the first line that is no object.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{path}, line {number}", _as_object(line, f"{path}, line {number}")


def _as_object(line: str, place: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place}: no JSON ({error}); one object a line is wanted") from error
    if not isinstance(found, dict):
        raise DataError(f"{place}: got {line.strip()[:40]}, wanted one JSON object a line")
    return found


def structured(content: Any, shape: type[T], place: str) -> T:
    """Make a record of JSON; raises DataError saying which keys of `place` do not fit."""
    try:
        return cattrs.structure(content, shape)
    except (cattrs.BaseValidationError, ValueError, TypeError, KeyError) as error:
        reasons = "; ".join(cattrs.transform_error(error))
        raise DataError(f"{place}: not as cfft writes it ({reasons})") from error
