"""Reading of list files, whichever form they have."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from cfft import DataError, read_text_file

from .entries import Entry, composed
from .names import is_image_name, split_and_domain
from .tables import Columns, is_table, problem_of, table_entries

_TABLES = (".csv", ".tsv")


def read_entries(path: Path, columns: Columns) -> list[Entry]:
    """Read a CSV file, or lines of `path label` or `class/path`.

    The name of the file says what it leaves open of split and domain. Raises DataError that says
    what is wrong, and in which lines.
    """
    try:
        text = read_text_file(path)
        if path.suffix.lower() in _TABLES or is_table(text, columns):
            entries = [*table_entries(path, text, columns)]
        else:
            entries = [*_of_lines(path, text)]
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{path}: {reason}") from error
    if not entries:
        raise DataError(f"{path} lists no images")
    return entries


def _of_lines(path: Path, text: str) -> Iterator[Entry]:
    split, domain = split_and_domain(path.stem)
    wrong: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        image, label = _image_and_label(line.strip())
        if image and label:
            yield Entry(image, composed(label), split, domain, path.name)
        elif line.strip():
            wrong.append((number, line.strip()))
    if wrong:
        raise ValueError(problem_of(wrong, "not of the form PATH LABEL"))


def _image_and_label(line: str) -> tuple[str, str]:
    """Divide a line at its last tab, else its last space; a path alone has its folder as class."""
    image, _, label = line.rpartition("\t" if "\t" in line else " ")
    if image and "/" not in label and not is_image_name(label):
        return image.strip(), label
    return line, line.rpartition("/")[0].rpartition("/")[2]
