"""Tables of images: CSV files with a header, or of two columns without one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from cfft import shortened_list, unknown_name

from .entries import Entry, composed
from .names import DOMAIN, IMAGE, LABEL, SPLIT, SPLITS, is_image_name, plain, split_and_domain

_DELIMITERS = ",;\t|"
_NO_HEADER = ("image", "label")
_NUMBER = re.compile(r"\d+(?:\.0+)?")  # a spreadsheet or a join may write 3 as 3.0
_ONE_HOT = {"0": False, "0.0": False, "1": True, "1.0": True}
_SEPARATOR = re.compile(r"sep=(.)\r?\n", re.I)  # spreadsheets may say it in a line of its own
Row = tuple[int, list[str]]


@attrs.frozen
class Columns:
    """Hold the names of columns that the user gave; None: found by their usual names.

    An empty name of `split` or `domain` means no column.
    """

    image: str | None = None
    label: str | None = None
    split: str | None = None
    domain: str | None = None


def is_table(text: str, columns: Columns) -> bool:
    """Tell whether a text begins as a table, by the header or by an image in its first cell."""
    cells = _cells(_SEPARATOR.sub("", text, count=1) if _SEPARATOR.match(text) else text)
    wanted = {plain(columns.image)} if columns.image else set(IMAGE)
    named = not wanted.isdisjoint(map(plain, cells))
    return len(cells) > 1 and (named or is_image_name(cells[0]))


def table_entries(path: Path, text: str, columns: Columns) -> Iterator[Entry]:
    """Yield the entries of a table; raises ValueError for columns and lines that do not fit."""
    header, rows = _rows(_SEPARATOR.sub("", text, count=1) if _SEPARATOR.match(text) else text)
    image = _image_column(header, columns.image)
    split = _usual(header, columns.split, "--split-column", SPLIT)
    domain = _usual(header, columns.domain, "--domain-column", DOMAIN)
    if columns.label is None and not any(_places(header, LABEL)):
        said = {at for at in (image, split, domain) if at is not None}
        header, rows = _named_by_ones(header, rows, [*({*range(len(header))} - said)])
    label = _label_column(header, columns.label, rows)
    _require_filled(header, rows, [at for at in (image, label, split, domain) if at is not None])
    if split is not None:
        _require_parts(header, rows, split)
    numbers = all(map(_is_number, (cells[label] for _, cells in rows)))
    known_split, known_domain = split_and_domain(path.stem)
    for _, cells in rows:
        word = known_split if split is None else cells[split].strip()
        yield Entry(
            image=cells[image].strip(),
            label=composed(cells[label].partition(".")[0] if numbers else cells[label]),
            split=SPLITS.get(word.casefold(), word) if word else None,
            domain=known_domain if domain is None else cells[domain].strip(),
            file=path.name,
        )


def problem_of(wrong: Sequence[tuple[int, str]], what: str) -> str:
    """Say in which lines something is wrong, and show the first of them."""
    (first, text), *_ = wrong
    shown = text if len(text) <= 60 else f"{text[:60]}..."
    if len(wrong) == 1:
        return f"line {first} is {what}: '{shown}'"
    numbers = shortened_list(number for number, _ in wrong)
    return f"{len(wrong):,} lines are {what} (lines {numbers}), the first '{shown}'"


def _cells(text: str) -> list[str]:
    line = next((line for line in text.splitlines() if line.strip()), "")
    return next(csv.reader([line], delimiter=_delimiter(line)), [])


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _rows(text: str) -> tuple[list[str], list[Row]]:
    """Return the header and the other rows, each with its line and as many cells."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(line))
    rows = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    if not rows:
        return list(_NO_HEADER), []
    if is_image_name(rows[0][1][0].strip()):
        header = list(_NO_HEADER)
    else:
        header = [cell.strip() for cell in rows.pop(0)[1]]
    wrong = [(at, ",".join(cells)) for at, cells in rows if len(cells) != len(header)]
    if wrong:
        listed = shortened_list(header)
        raise ValueError(problem_of(wrong, f"not of its {len(header)} columns ({listed})"))
    return header, rows


def _image_column(header: Sequence[str], given: str | None) -> int:
    found = _usual(header, given, "--image-column", IMAGE)
    if found is None:
        raise ValueError(_lacking("images' paths", header, "--image-column"))
    return found


def _named_by_ones(
    header: list[str], rows: list[Row], places: Sequence[int]
) -> tuple[list[str], list[Row]]:
    """Add the column of classes to a table that has one for each, 1 where the image is of it.

    `places`: those columns, if they are such; other tables stay as they are. Raises ValueError for
    a row of no class or of several.
    """
    read = [[_ONE_HOT.get(cells[at].strip()) for at in places] for _, cells in rows]
    if len(places) < 2 or not rows or any(None in values for values in read):
        return header, rows
    wrong = [
        (line, ",".join(cells))
        for (line, cells), values in zip(rows, read, strict=True)
        if sum(map(bool, values)) != 1
    ]
    if wrong:
        listed = shortened_list(header[at] for at in places)
        raise ValueError(
            f"its columns {listed} hold 0 and 1, a class each, but "
            f"{problem_of(wrong, 'not of exactly one class')}"
        )
    labels = [header[places[values.index(True)]] for values in read]
    named = [(at, [*cells, label]) for (at, cells), label in zip(rows, labels, strict=True)]
    return [*header, LABEL[0]], named


def _label_column(header: Sequence[str], given: str | None, rows: Sequence[Row]) -> int:
    """Return the place of the classes; of several columns that mean the same, one with words."""
    if given is not None:
        return _given(header, given, "--label-column")
    found = [*_places(header, LABEL)]
    if not found and len(header) == 1:
        raise ValueError(
            f"it has no classes, its only column is '{header[0]}': it cannot be measured on"
        )
    if not found:
        raise ValueError(_lacking("classes", header, "--label-column"))
    for other in found[1:]:
        pairs = {(cells[found[0]].strip(), cells[other].strip()) for _, cells in rows}
        if not len(pairs) == len(dict(pairs)) == len({second for _, second in pairs}):
            raise ValueError(
                f"columns '{header[found[0]]}' and '{header[other]}' may both hold the classes: "
                "choose one (--label-column)"
            )
    words = (at for at in found if not all(_is_number(cells[at]) for _, cells in rows))
    return next(words, found[0])


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell.strip()) is not None


def _require_parts(header: Sequence[str], rows: Sequence[Row], split: int) -> None:
    """Raise ValueError for numbers, which are folds, in place of parts."""
    folds = [(at, cells[split].strip()) for at, cells in rows if _is_number(cells[split])]
    if folds:
        raise ValueError(
            f"{problem_of(folds, f'of no part in column {header[split]!r}')}: write train, val, "
            "test or the name of an OOD set, or leave the column out: --split-column ''"
        )


def _usual(
    header: Sequence[str], given: str | None, option: str, usual: Iterable[str]
) -> int | None:
    if given:
        return _given(header, given, option)
    return next(_places(header, usual), None) if given is None else None


def _places(header: Sequence[str], usual: Iterable[str]) -> Iterator[int]:
    there: Mapping[str, int] = {plain(name): at for at, name in reversed([*enumerate(header)])}
    return (there[name] for name in usual if name in there)


def _given(header: Sequence[str], name: str, option: str) -> int:
    there = {plain(column): at for at, column in enumerate(header)}
    if name in header:
        return header.index(name)
    if plain(name) not in there:
        raise ValueError(f"{option}: {unknown_name('column', name, header, 'its columns')}")
    return there[plain(name)]


def _lacking(what: str, header: Sequence[str], option: str) -> str:
    listed = shortened_list(header, most=12)
    return f"no column is called like one of {what}: name it with {option}; its columns: {listed}"


def _require_filled(header: Sequence[str], rows: Sequence[Row], places: Iterable[int]) -> None:
    for place in places:
        empty = [(at, ",".join(cells)) for at, cells in rows if not cells[place].strip()]
        if empty:
            raise ValueError(problem_of(empty, f"without a value of '{header[place]}'"))
