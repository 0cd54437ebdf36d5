"""List files of a folder, and which of them are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cfft import ConfigError, DataError, unknown_name

from .names import NO_LISTS

_SUFFIXES = (".csv", ".tsv", ".txt", ".lst")


def list_files(folder: Path) -> list[str]:
    """List the files of a folder that may be lists by their suffix, sorted."""
    paths = (path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    return sorted(path.name for path in paths if path.is_file() and path.name[0] != ".")


def chosen_lists(data: Path, names: Sequence[str] | None, classes: Path | None) -> list[Path]:
    """Return the lists to read: `data` itself, or those of the folder with these `names`.

    `names` None: all but those that are usually none, and the file of `classes`. Raises DataError
    where there is none, and ConfigError for names beside a single list.
    """
    if data.is_file() and names:
        raise ConfigError(f"suite.lists.files names lists of a folder, and --data {data} is a file")
    if data.is_file():
        return [data]
    if not data.is_dir():
        raise DataError(
            f"--data {data}: no such file or directory; give a CSV or list file, or a folder of "
            "such files"
        )
    there = list_files(data)
    for name in (name for name in names or () if not (data / name).is_file()):
        raise DataError(f"suite.lists.files: {unknown_name('list', name, there)}")
    chosen = names or [name for name in there if _is_list(data / name, classes)]
    if not chosen:
        raise DataError(
            f"{data} holds no list: the suite lists reads {' '.join(_SUFFIXES)} files; for class "
            "folders say --suite folder"
        )
    return [data / name for name in chosen]


def _is_list(path: Path, classes: Path | None) -> bool:
    names_classes = classes is not None and path.resolve() == classes.resolve()
    return path.stem.casefold() not in NO_LISTS and not names_classes
