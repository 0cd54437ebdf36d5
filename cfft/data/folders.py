"""Class folders, the names of their classes, and the image files in them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cfft.errors import DataError, unknown_name

EXTENSIONS = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)


def list_subfolders(directory: Path) -> list[str]:
    """List the folders in a directory, sorted by `in_order`, without hidden ones and __MACOSX.

    Raises DataError where there is no such directory.
    """
    return in_order(entry.name for entry in _entries(directory) if entry.is_dir())


def in_order(names: Iterable[str]) -> list[str]:
    """Sort by name, or as numbers where all are numbers (ImageNet-V2 counts its classes)."""
    listed = list(names)
    numeric = all(map(str.isdecimal, listed))
    return sorted(listed, key=lambda name: (int(name) if numeric else 0, name))


def image_files(directory: Path) -> list[str]:
    """List the images at any depth as sorted POSIX paths relative to `directory`.

    An image is a file with one of EXTENSIONS in either case; hidden files and folders are left
    out. Links are followed. A dangling link counts, so that it is found to be unreadable.
    """
    return sorted(_walk(directory, "", frozenset()))


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
    folders = in_order({folder for root in roots for folder in list_subfolders(root)})
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


def no_classes(directory: Path) -> str:
    """Return the message about a directory of a set that has no class folders."""
    if image_files(directory):
        return f"images lie directly in {directory}: put them in {directory}/CLASS/"
    return f"{directory} has no class folders; expected {directory}/CLASS/"


def _walk(directory: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    status = directory.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:  # a link to a folder that holds it
        return
    for entry in _entries(directory):
        if entry.is_dir():
            yield from _walk(directory / entry.name, f"{prefix}{entry.name}/", above | {here})
        elif os.path.splitext(entry.name)[1].lower() in EXTENSIONS:
            yield prefix + entry.name


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
    except FileNotFoundError:
        raise DataError(f"no such directory: {directory}") from None
    except OSError as error:
        raise DataError(f"cannot list {directory}: {error.strerror}") from error


def _names_file(directory: Path) -> Path | None:
    found = [directory / name for name in ("classes.txt", "classes.toml")]
    found = [path for path in found if path.is_file()]
    if len(found) == 2:
        raise DataError(f"{directory} holds classes.txt and classes.toml: keep one of them")
    return found[0] if found else None


def _read_names(path: Path | None, folders: Sequence[str]) -> dict[str, str]:
    if path is None:
        return dict(zip(folders, folders, strict=True))
    try:
        text = path.read_text(encoding="utf-8-sig")
        return _from_toml(text) if path.suffix == ".toml" else _from_lines(text, folders)
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, no TOML, or raised below
        raise DataError(f"{path}: {error}") from error


def _from_toml(text: str) -> dict[str, str]:
    table = tomllib.loads(text)
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
