"""An evaluation on disk: where it may be written, and that it is either complete or absent."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from cfft.errors import ConfigError
from cfft.evaluation.files.evaluation import EVALUATION, EvaluationResults
from cfft.evaluation.files.file_names import own_file_name
from cfft.runtime.files import check_free
from cfft.runtime.json_files import write_json
from cfft.runtime.processes import ALONE, Processes
from cfft.scoring.predictions import Predictions

_PREDICTIONS = "predictions"


@attrs.define
class EvaluationFiles:
    """Write an evaluation beside its place, on the main process; the others wait for it.

    `taken`: folder names by model label.
    """

    root: Path
    processes: Processes
    taken: dict[str, str] = attrs.field(factory=dict)

    def folder(self, label: str) -> str:
        """Return the folder of a model's predictions, relative to the evaluation."""
        if label not in self.taken:
            self.taken[label] = own_file_name(label, self.taken.values())
        return f"{_PREDICTIONS}/{self.taken[label]}"

    def keep(self, label: str, name: str, predictions: Predictions) -> None:
        """Write what a model says of a set."""
        path = self.root / self.folder(label) / f"{name}.npz"
        self.processes.on_main(lambda: predictions.save(path))

    def write(self, results: EvaluationResults) -> None:
        """Write evaluation.json."""
        self.processes.on_main(lambda: write_json(self.root / EVALUATION, results))


@contextmanager
def new_evaluation(out: Path, processes: Processes = ALONE) -> Iterator[EvaluationFiles]:
    """Give files that appear in `out` when the block ends, and never where it fails.

    All `processes` have to take part. Raises ConfigError where `out` holds anything or cannot be
    made.
    """
    check_free(out)
    place = out.resolve()
    holder = processes.on_main(lambda: _folder_beside(place))
    root = place if holder is None else Path(holder.name, place.name)
    try:
        yield EvaluationFiles(root, processes)
        processes.on_main(lambda: _move(root, out))
    finally:
        if holder is not None:
            holder.cleanup()


def _folder_beside(place: Path) -> TemporaryDirectory[str]:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        holder = TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.")
        Path(holder.name, place.name).mkdir()
    except OSError as error:
        raise ConfigError(f"--out {place} cannot be made: {error.strerror}") from error
    return holder


def _move(root: Path, out: Path) -> None:
    """Put an evaluation in its place, or beside it where another one ended there meanwhile."""
    try:
        check_free(out)
        root.rename(out.resolve())
    except (ConfigError, OSError) as error:
        place = _reserved(out.parent, out.name)
        root.rename(place)
        raise ConfigError(
            f"--out {out} was taken while models were measured: this evaluation is complete in "
            f"{place}; see it with cfft eval --from-predictions {shlex.quote(str(place))}"
        ) from error


@contextmanager
def reserved_evaluation(stem: str) -> Iterator[Path]:
    """Give a new directory in evaluations/, which no other evaluation will choose.

    It is gone after the block where nothing was put into it.
    """
    place = _reserved(Path("evaluations"), stem)
    try:
        yield place
    finally:
        with suppress(OSError):  # what is not empty stays
            place.rmdir()
            place.parent.rmdir()


def _reserved(folder: Path, stem: str) -> Path:
    """Make the first directory that is free: `stem`, `stem`-2, `stem`-3 and so on."""
    for number in count(1):
        place = folder / (stem if number == 1 else f"{stem}-{number}")
        with suppress(FileExistsError):
            place.mkdir(parents=True)
            break
    return place
