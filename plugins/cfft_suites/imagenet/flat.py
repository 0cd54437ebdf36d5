"""ImageNet's validation images as its archive unpacks: in one folder, classes in a file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path

from cfft import DataError, ImageFiles, read_text_file, shortened_list

from .facts import facts

SOLUTION = "LOC_val_solution.csv"
_IMAGES = "ILSVRC2012_val_*.JPEG"
_COLUMNS = ("ImageId", "PredictionString")


def read_flat(root: Path, data: Path, name: str) -> ImageFiles | None:
    """Return the images that lie directly in `root`, or None without any.

    Their classes are read from LOC_val_solution.csv of ImageNet's challenge on Kaggle, in `root`
    or a folder above up to `data`. Raises DataError without it, and where it does not fit.
    """
    paths = sorted(path.name for path in root.glob(_IMAGES))
    if not paths:
        return None
    file = next((f / SOLUTION for f in _upwards(root, data) if (f / SOLUTION).is_file()), None)
    if file is None:
        raise DataError(
            f"set '{name}': {len(paths)} images lie in {root} without their classes: put "
            f"{SOLUTION} of ImageNet's challenge on Kaggle into {data}, or sort the images into "
            "folders with valprep.sh (github.com/soumith/imagenetloader.torch)"
        )
    return ImageFiles(
        name=name,
        root=root,
        paths=tuple(paths),
        labels=_labels(paths, _read_solution(file), file),
        classes=tuple(range(len(facts().names))),
        class_names=tuple(facts().names.values()),
    )


def _upwards(root: Path, data: Path) -> Iterator[Path]:
    yield root
    yield from (folder for folder in root.parents if folder == data or data in folder.parents)


def _read_solution(file: Path) -> Mapping[str, str]:
    """Return the class folder of each image: the first word of what stands beside its name."""
    image, answer = _COLUMNS
    try:
        lines = StringIO(read_text_file(file), newline="")
        return {row[image]: row[answer].split()[0] for row in csv.DictReader(lines)}
    except (OSError, ValueError, csv.Error, KeyError, AttributeError, IndexError) as error:
        raise DataError(
            f"{file}: cannot be read as lines of {','.join(_COLUMNS)} ({type(error).__name__}: "
            f"{error})"
        ) from error


def _labels(paths: Sequence[str], answers: Mapping[str, str], file: Path) -> tuple[int, ...]:
    indices = {folder: index for index, folder in enumerate(facts().folders)}
    names = [Path(path).stem for path in paths]
    _require_none([name for name in names if name not in answers], f"{file} lacks images")
    folders = [answers[name] for name in names]
    strangers = dict.fromkeys(folder for folder in folders if folder not in indices)
    _require_none([*strangers], f"{file} has classes that are none of ImageNet's 1,000")
    return tuple(indices[folder] for folder in folders)


def _require_none(found: Sequence[str], problem: str) -> None:
    if found:
        raise DataError(f"{problem}: {shortened_list(found)}")
