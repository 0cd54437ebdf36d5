"""Classes, their order and their names."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from cfft.data.folders import in_order, no_classes, subfolders
from cfft.errors import DataError, unknown


def class_table(root: Path, names_in: Path | None = None) -> dict[str, str]:
    """Map the class folders of the training set to class names, in class-index order.

    The order is that of the folders (see `subfolders`), whatever the names are. A class has the
    name of its folder unless the directory `names_in` holds one of these, in UTF-8:

    - `classes.txt`: one name a line in the order of the folders, or `folder<TAB>name` on every
      line in any order;
    - `classes.toml`: one `folder = "name"` a line.

    Raises DataError for fewer than two classes, and for names that do not match the folders.
    """
    folders = subfolders(root)
    if not folders:
        raise DataError(no_classes(root))
    if len(folders) < 2:
        raise DataError(
            f"{root}: training takes two or more class folders, got only '{folders[0]}'"
        )
    path = _names_file(names_in) if names_in else None
    names = _read_names(path, folders)
    surplus = [unknown("class folder", name, folders) for name in names if name not in folders]
    missing = [f"no name for class folder '{name}'" for name in folders if name not in names]
    if surplus or missing:
        raise DataError(*(f"{path}: {problem}" for problem in surplus + missing))
    return {folder: names[folder] for folder in folders}


def evaluation_classes(roots: Sequence[Path], names_in: Path) -> dict[str, str]:
    """Map class folders to class names where there is no training set.

    They are the folders that `names_in` names, in a `classes.toml` or in lines `folder<TAB>name`
    of a `classes.txt`, whether or not they exist; without such a file the folders of all `roots`.
    Order and file as in `class_table`. Raises DataError for a folder without a name.
    """
    folders = in_order({folder for root in roots for folder in subfolders(root)})
    path = _names_file(names_in)
    if path is None and len(folders) == 1:
        raise DataError(
            f"{names_in}: measuring takes two or more classes, got only '{folders[0]}': name the "
            "others in a classes.txt there, as lines folder<TAB>name"
        )
    names = _read_names(path, folders)
    missing = [folder for folder in folders if folder not in names]
    if missing:
        raise DataError(*(f"{path}: no name for class folder '{name}'" for name in missing))
    return {folder: names[folder] for folder in in_order(names)}


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
