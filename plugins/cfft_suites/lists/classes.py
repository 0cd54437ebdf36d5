"""Classes that the labels of lists mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from cfft import DataError, read_text_file

from .entries import Entry, composed


@attrs.frozen(eq=False)
class ClassTable:
    """Hold the class names by index, and the index of each label.

    `folders`: whether names were taken from the folders of images. `doubt`: what may be wrong with
    them, or None.
    """

    names: tuple[str, ...]
    index: Mapping[str, int]
    folders: bool = False
    doubt: str | None = None

    def find(self, label: str) -> int | None:
        """Return the index of a label, or None."""
        found = self.index.get(label)
        if found is None and label.isdecimal():
            return self.index.get(str(int(label)))
        return found


def listed_classes(entries: Sequence[Entry]) -> ClassTable:
    """Return the classes of the labels that occur, sorted; numbers as numbers.

    A class has the name of its label. Numbers are called as the folders of their images where each
    number has a folder of its own, as in DomainNet's `clipart/airplane/1.jpg 0`; other lists may
    then say either.
    """
    labels = _in_order({entry.label for entry in entries})
    _require_one_spelling(labels)
    folders = _folders_of_numbers(entries)
    names = tuple(folders.get(label, label) for label in labels)
    index = {known: at for at, pair in enumerate(zip(names, labels, strict=True)) for known in pair}
    return ClassTable(names, index, bool(folders))


def named_classes(path: Path, labels: Collection[str]) -> ClassTable:
    """Read class names: one per line, for the numbers from 0, or lines `label<TAB>name`.

    Raises DataError for a file that cannot be read, and for one that does not fit `labels`.
    """
    try:
        lines = [line.strip() for line in read_text_file(path).splitlines() if line.strip()]
        if any("\t" in line for line in lines):
            return _of_pairs(lines)
        _require_from_zero(len(lines), labels)
        return attrs.evolve(_of_names(lines), doubt=_counting_from_one(path, lines, labels))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"class names {path}: {reason}") from error


def folder_of(entry: Entry) -> str:
    """Return the name of the folder that an image lies in by its path, or ""."""
    return composed(entry.image.replace("\\", "/").rpartition("/")[0].rpartition("/")[2])


def _of_names(names: Sequence[str]) -> ClassTable:
    counts = Counter(map(composed, names))
    index = {str(at): at for at in range(len(names))}
    once = {key: at for at, key in enumerate(map(composed, names)) if counts[key] == 1}
    return ClassTable(tuple(names), {**index, **once})


def _of_pairs(lines: Iterable[str]) -> ClassTable:
    names: dict[str, str] = {}
    for line in lines:
        label, _, name = (part.strip() for part in line.partition("\t"))
        if not name:
            raise ValueError(f"line '{line}' is not of the form label<TAB>name")
        if composed(label) in names:
            raise ValueError(f"label '{label}' is named twice")
        names[composed(label)] = name
    labels = _in_order(names)
    return ClassTable(
        tuple(names[label] for label in labels), {label: at for at, label in enumerate(labels)}
    )


def _require_from_zero(names: int, labels: Collection[str]) -> None:
    numbers = {int(label) for label in labels if label.isdecimal()}
    if len(numbers) == len(labels) and numbers and 0 not in numbers and names in numbers:
        raise ValueError(
            f"its {names} names stand for the numbers from 0, and the lists count from "
            f"{min(numbers)} to {max(numbers)}: write lines number<TAB>name"
        )


def _counting_from_one(path: Path, names: Sequence[str], labels: Collection[str]) -> str | None:
    """Say that numbers may count from 1, where only the names show that they should from 0."""
    numbers = {int(label) for label in labels if label.isdecimal()}
    if len(numbers) < len(labels) or not 1 == min(numbers) < max(numbers) < len(names):
        return None
    return (
        f"the labels in the lists are 1 to {max(numbers)}, and the {len(names)} names in {path} "
        f"stand for the numbers from 0: no image is '{names[0]}' (0). If 1 means '{names[0]}', "
        "write lines number<TAB>name"
    )


def _folders_of_numbers(entries: Sequence[Entry]) -> dict[str, str]:
    pairs = {(entry.label, folder_of(entry)) for entry in entries}
    folders = dict(pairs)
    one_to_one = len(pairs) == len(folders) == len({*folders.values()})
    numbers = all(label.isdecimal() for label in folders)
    words = all(folder and not folder.isdecimal() for folder in folders.values())
    return folders if one_to_one and numbers and words and len(folders) > 1 else {}


def _require_one_spelling(labels: Iterable[str]) -> None:
    known: dict[int, str] = {}
    for label in (label for label in labels if label.isdecimal()):
        first = known.setdefault(int(label), label)
        if first != label:
            raise DataError(
                f"classes '{first}' and '{label}' are one number in two spellings: write it in one"
            )


def _in_order(labels: Iterable[str]) -> list[str]:
    listed = list(labels)
    numeric = all(map(str.isdecimal, listed))
    return sorted(listed, key=lambda label: (int(label) if numeric else 0, label))


def contradictions(entries: Iterable[Entry], table: ClassTable) -> Iterator[str]:
    """Yield a line for each number of other lists that stands for another class of `table`."""
    if not table.folders:
        return
    told: set[tuple[str, str]] = set()
    for entry in entries:
        index, folder = table.find(entry.label), folder_of(entry)
        if index is None or folder == table.names[index] or folder not in table.names:
            continue
        if (entry.label, folder) not in told:
            told.add((entry.label, folder))
            yield (
                f"{entry.file}: number {entry.label} is '{folder}' here and "
                f"'{table.names[index]}' in training: the lists do not belong together"
            )
