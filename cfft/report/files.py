"""Read JSON lines, with errors that say where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cfft.errors import DataError


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
