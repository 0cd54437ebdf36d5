"""An evaluation on disk: where it may be written, and that it is either complete or absent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from cfft.checkpoint import write_text
from cfft.errors import DataError
from cfft.evaluate import Predictions
from cfft.results import check_free

SCHEMA = 1
EVALUATION = "evaluation.json"
_PREDICTIONS = "predictions"


@attrs.define
class EvaluationFiles:
    """Write an evaluation beside its place; `taken`: folder names by model label."""

    root: Path
    taken: dict[str, str] = attrs.field(factory=dict)

    def folder(self, label: str) -> str:
        """Return the folder of a model's predictions, relative to the evaluation."""
        if label not in self.taken:
            stem = re.sub(r"[^\w.=+-]+", "-", label).strip("-.") or "model"
            names = [stem, *(f"{stem}-{number}" for number in range(2, len(self.taken) + 3))]
            self.taken[label] = next(n for n in names if n not in self.taken.values())
        return f"{_PREDICTIONS}/{self.taken[label]}"

    def keep(self, label: str, name: str, predictions: Predictions) -> None:
        """Write what a model says of a set."""
        predictions.save(self.root / self.folder(label) / f"{name}.npz")

    def write(self, record: Mapping[str, Any]) -> None:
        """Write evaluation.json."""
        write_text(self.root / EVALUATION, json.dumps(record, indent=2) + "\n")


@contextmanager
def new_evaluation(out: Path) -> Iterator[EvaluationFiles]:
    """Give files that appear in `out` when the block ends, and never where it fails.

    Raises ConfigError where `out` holds anything or cannot be made.
    """
    check_free(out)
    place = out.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as folder:
        partial = Path(folder, place.name)
        partial.mkdir()
        yield EvaluationFiles(partial)
        partial.rename(place)


def read_evaluation(path: Path) -> dict[str, Any]:
    """Return what the evaluation.json in `path`, or at it, says; raises DataError."""
    file = path / EVALUATION if path.is_dir() else path
    try:
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
        schema = found["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: no evaluation that cfft wrote ({error})") from error
    if schema != SCHEMA:
        raise DataError(f"{file}: schema {schema}, this version of cfft reads {SCHEMA}")
    return found


def free_evaluation(stem: str) -> Path:
    """Return a directory in evaluations/ that does not exist yet."""
    number, found = 1, Path("evaluations", stem)
    while found.exists():
        number += 1
        found = Path("evaluations", f"{stem}-{number}")
    return found
