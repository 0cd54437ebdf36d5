"""Class folders, the names of their classes, and the image files in them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs

from cfft.data.passed_over import (
    CIRCLE,
    DANGLING,
    LOOSE,
    SPECIAL,
    dangling,
    reason_of_name,
    reason_of_suffix,
    special,
)
from cfft.errors import DataError, unknown_name
from cfft.runtime.documents import parse_toml, read_text_file

EXTENSIONS = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)


Identity: TypeAlias = tuple[int, int]
"""Device and number of a folder, which are the same whatever path leads to it."""

_MOST_WAYS = 100
"""Ways to one folder: links between a dozen folders make millions of them."""
_FILE_NAME = re.compile(r".+\.[A-Za-z][A-Za-z0-9]{0,7}")
"""Names that a link to a file has; others may stand for a class or a set."""


@attrs.frozen
class FoundImages:
    """Hold the images below a directory, and how many entries were passed over by reason.

    `paths`: sorted POSIX paths relative to the directory.
    """

    paths: tuple[str, ...]
    passed_over: Mapping[str, int]


def list_subfolders(directory: Path) -> list[str]:
    """List the folders in a directory, sorted, without hidden ones and those of the system.

    Where all names are numbers they are sorted as such. Folders such as @eaDir, #recycle and
    __MACOSX are those of the system. A link that leads nowhere is listed unless it is called like
    a file, so that a class or a set does not vanish with what it leads to; one to `directory` or a
    folder above it is not. Raises DataError where there is no such directory.
    """
    around = _Folders(directory)
    return in_order(entry.name for entry in _entries(directory) if around.has_folder(entry))


def in_order(names: Iterable[str]) -> list[str]:
    """Sort by name, or as numbers where all are numbers (ImageNet-V2 counts its classes)."""
    listed = list(names)
    numeric = all(map(str.isdecimal, listed))
    return sorted(listed, key=lambda name: (int(name) if numeric else 0, name))


def image_files(directory: Path) -> list[str]:
    """List the images at any depth as sorted POSIX paths relative to `directory`.

    An image is a file with one of EXTENSIONS in either case; hidden files and folders are left
    out, and pipes, sockets and devices. Links are followed. A dangling link counts, so that it is
    found to be unreadable.
    """
    return list(find_images(directory).paths)


def find_images(directory: Path) -> FoundImages:
    """Find what `image_files` lists, and count what is passed over.

    A hidden folder or one of the system counts as one, whatever it holds. Raises DataError for
    links between folders that lead to one of them in over 100 ways.
    """
    passed: Counter[str] = Counter()
    above = _Folders(directory).above
    paths = sorted(_walk(directory, "", above, passed, Counter()))
    return FoundImages(tuple(paths), passed)


def passed_over_beside(directory: Path) -> dict[str, int]:
    """Count what lies beside the folders of a directory and is no folder, by reason."""
    passed: Counter[str] = Counter()
    around = _Folders(directory)
    for entry in _entries(directory, passed):
        if around.leads_above(entry):
            passed[CIRCLE] += 1
        elif not around.has_folder(entry):
            passed[LOOSE if _is_image(entry) else _reason(entry)] += 1
    return dict(passed)


def training_class_names(root: Path, names_in: Path | None = None) -> dict[str, str]:
    """Map the class folders of the training set to class names, in class-index order.

    The order is that of the folders (see `subfolders`), whatever the names are. A class has the
    name of its folder unless the directory `names_in` holds one of these, in UTF-8:

    - `classes.txt`: one name per line in the order of the folders, or `folder<TAB>name` on every
      line in any order;
    - `classes.toml`: one `folder = "name"` per line.

    Raises DataError for fewer than two classes, and for names that do not match the folders.
    """
    folders = list_subfolders(root)
    if not folders:
        raise DataError(no_classes(root))
    if len(folders) < 2:
        raise DataError(
            f"{root}: training needs two or more class folders, got only '{folders[0]}'"
        )
    path = _names_file(names_in) if names_in else None
    names = _read_names(path, folders)
    twins = twice_spelt(folders)
    if twins:
        raise DataError(f"{root}: {twins}")
    surplus = [unknown_name("class folder", name, folders) for name in names if name not in folders]
    missing = [f"no name for class folder '{name}'" for name in folders if name not in names]
    if surplus or missing:
        raise DataError(*(f"{path}: {problem}" for problem in surplus + missing))
    return {folder: names[folder] for folder in folders}


def evaluation_class_names(roots: Sequence[Path], names_in: Path) -> dict[str, str]:
    """Map class folders to class names where there is no training set.

    They are the folders that `names_in` names, in a `classes.toml` or in lines `folder<TAB>name`
    of a `classes.txt`, whether or not they exist; without such a file the folders of all `roots`.
    Order and file as in `class_table`. Raises DataError for a folder without a name.
    """
    there = (folder for root in roots for folder in list_subfolders(root))
    folders = in_order({composed(folder): folder for folder in there}.values())
    path = _names_file(names_in)
    if path is None and len(folders) == 1:
        raise DataError(
            f"{names_in}: evaluation needs two or more classes, got only '{folders[0]}': name the "
            "others in a classes.txt there, as lines folder<TAB>name"
        )
    names = _read_names(path, folders)
    missing = [folder for folder in folders if folder not in names]
    if missing:
        raise DataError(*(f"{path}: no name for class folder '{name}'" for name in missing))
    return {folder: names[folder] for folder in in_order(names)}


def composed(name: str) -> str:
    """Return a name with accents as part of their letters, as most systems store them.

    Names that differ in this alone look the same; macOS stores accents apart.
    """
    return unicodedata.normalize("NFC", name)


def twice_spelt(folders: Iterable[str]) -> str | None:
    """Say which two folders have names that look the same, None where none have."""
    known: dict[str, str] = {}
    for folder in folders:
        if known.setdefault(composed(folder), folder) != folder:
            return (
                f"two class folders are called '{folder}', with its accents stored in two ways "
                "(Unicode NFC and NFD): move their images into one"
            )
    return None


def no_classes(directory: Path) -> str:
    """Return the message about a directory of a set that has no class folders."""
    if image_files(directory):
        return f"images lie directly in {directory}: put them in {directory}/CLASS/"
    return f"{directory} has no class folders; expected {directory}/CLASS/"


@attrs.frozen
class _Folders:
    """Tell folders in a directory from links to what holds them."""

    directory: Path

    @property
    def above(self) -> frozenset[Identity]:
        """The folders above the directory, along its path and where links in it lead."""
        places = (os.path.abspath(self.directory), os.path.realpath(self.directory))
        return frozenset(_identity(each) for place in places for each in Path(place).parents)

    def leads_above(self, entry: os.DirEntry[str]) -> bool:
        """Tell whether an entry is a link to the directory, or to a folder above it."""
        if not entry.is_symlink() or not _leads_to_folder(entry):
            return False
        return _identity(Path(entry.path)) in {*self.above, _identity(self.directory)}

    def has_folder(self, entry: os.DirEntry[str]) -> bool:
        """Tell whether an entry is a folder to look into, or a link in place of one."""
        if _leads_to_folder(entry):
            return not self.leads_above(entry)
        return _is_dangling(entry) and not _FILE_NAME.fullmatch(entry.name)


def _identity(folder: Path) -> Identity:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _walk(
    directory: Path,
    prefix: str,
    above: frozenset[Identity],
    passed: Counter[str],
    ways: Counter[Identity],
) -> Iterator[str]:
    here = _identity(directory)
    if here in above:  # a link to a folder that holds it
        passed[CIRCLE] += 1
        return
    ways[here] += 1
    if ways[here] > _MOST_WAYS:
        raise DataError(
            f"links lead to {os.path.realpath(directory)} in over {_MOST_WAYS:,} ways: remove the "
            "links between folders"
        )
    for entry in _entries(directory, passed):
        if _leads_to_folder(entry):
            inner = directory / entry.name
            yield from _walk(inner, f"{prefix}{entry.name}/", above | {here}, passed, ways)
        elif _is_image(entry):
            yield prefix + entry.name
        else:
            passed[_reason(entry)] += 1


def _entries(directory: Path, passed: Counter[str] | None = None) -> list[os.DirEntry[str]]:
    """List what may be an image or a folder of them; count the rest in `passed`."""
    try:
        with os.scandir(directory) as entries:
            reasons = [(entry, reason_of_name(entry.name)) for entry in entries]
    except FileNotFoundError:
        lost = directory.is_symlink()
        raise DataError(
            dangling(directory) if lost else f"no such directory: {directory}"
        ) from None
    except OSError as error:
        raise DataError(f"cannot list {directory}: {error.strerror}") from error
    if passed is not None:
        passed.update(reason for _, reason in reasons if reason is not None)
    return [entry for entry, reason in reasons if reason is None]


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is an image by its name, and a file or what is left of one."""
    suffix = os.path.splitext(entry.name)[1].lower()
    return suffix in EXTENSIONS and not _is_special(entry)


def _is_special(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.is_file() and special(entry.stat().st_mode) is not None
    except OSError:  # a link that leads nowhere
        return False


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_dangling(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)


def _reason(entry: os.DirEntry[str]) -> str:
    if _is_special(entry):
        return SPECIAL
    return DANGLING if _is_dangling(entry) else reason_of_suffix(entry.name)


def _names_file(directory: Path) -> Path | None:
    found = [directory / name for name in ("classes.txt", "classes.toml")]
    found = [path for path in found if path.exists()]
    if len(found) == 2:
        raise DataError(f"{directory} holds classes.txt and classes.toml: keep one of them")
    return found[0] if found else None


def _read_names(path: Path | None, folders: Sequence[str]) -> dict[str, str]:
    if path is None:
        return dict(zip(folders, folders, strict=True))
    try:
        text = read_text_file(path)
        names = _from_toml(text) if path.suffix == ".toml" else _from_lines(text, folders)
        spelt = {composed(folder): folder for folder in folders}
        return {spelt.get(composed(name), name): names[name] for name in names}
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, no TOML, or raised below
        raise DataError(f"{path}: {error}") from error


def _from_toml(text: str) -> dict[str, str]:
    table = parse_toml(text)
    wrong = [folder for folder, name in table.items() if not isinstance(name, str) or not name]
    if wrong:
        raise ValueError(f"'{wrong[0]}' has no name; write {wrong[0]} = \"name\"")
    return table


def _from_lines(text: str, folders: Sequence[str]) -> dict[str, str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any("\t" in line for line in lines):
        return _from_pairs(lines)
    if len(lines) != len(folders):
        raise ValueError(f"{len(lines)} names for {len(folders)} class folders")
    names = dict(zip(folders, lines, strict=True))
    for folder, name in names.items():
        if name != folder and name in names:
            raise ValueError(
                f"'{name}' stands where folder '{folder}' belongs: sort the lines like the "
                "folders, or write folder<TAB>name"
            )
    return names


def _from_pairs(lines: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for line in lines:
        folder, _, name = (part.strip() for part in line.partition("\t"))
        if not name:
            raise ValueError(f"line '{line}' is not of the form folder<TAB>name")
        if folder in names:
            raise ValueError(f"folder '{folder}' is named twice")
        names[folder] = name
    return names
