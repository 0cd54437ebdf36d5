"""Read JSON lines and the accuracies in them, with errors that name the line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from cfft.errors import DataError
from cfft.runtime.documents import parse_json, read_text_file


@attrs.frozen
class ModelFacts:
    """Hold the fields of a line beside accuracies by set and texts."""

    group: str | None = None
    seed: int | None = None
    alpha: float | None = None


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through the objects of a JSON-lines file with their places, "FILE, line 3".

    Raises DataError with the number of the first line that is no object.
    """
    try:
        text = read_text_file(path)
    except FileNotFoundError:
        raise DataError(f"{path}: cannot be read: no such file") from None
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            found = parse_json(line)
        except ValueError as error:
            raise DataError(f"{place}: no JSON ({error}); wanted one object per line") from error
        if not isinstance(found, dict):
            raise DataError(f"{place}: got {line.strip()[:40]}, wanted one JSON object per line")
        yield place, found


def accuracies(line: Mapping[str, Any], place: str) -> dict[str, float]:
    """Return the accuracies in a line by set, shares of 0..1; texts and `ModelFacts` are none.

    Raises DataError that begins with `place` for other numbers, and for a line without accuracies.
    """
    found = {
        key: value
        for key, value in line.items()
        if isinstance(value, (int, float))
        and not isinstance(value, bool)
        and key not in attrs.fields_dict(ModelFacts)
    }
    for name, value in found.items():
        if not 0 <= value <= 1:
            raise DataError(f"{place}: {name} is {value}, allowed: shares from 0 to 1")
    if not found:
        raise DataError(f"{place}: no accuracies; wanted shares from 0 to 1 by set")
    return found
