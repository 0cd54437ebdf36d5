"""An evaluation on disk: where it may be written, and that it is either complete or absent."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import cattrs

from cfft.errors import DataError
from cfft.evaluation.files.file_names import own_file_name
from cfft.runtime.files import appearing, write_text
from cfft.runtime.processes import ALONE, Processes
from cfft.scoring.predictions import Predictions

T = TypeVar("T")
SCHEMA = 1
EVALUATION = "evaluation.json"
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

    def write(self, record: Mapping[str, Any]) -> None:
        """Write evaluation.json."""
        text = json.dumps(record, indent=2) + "\n"
        self.processes.on_main(lambda: write_text(self.root / EVALUATION, text))


@contextmanager
def new_evaluation(out: Path, processes: Processes = ALONE) -> Iterator[EvaluationFiles]:
    """Give files that appear in `out` when the block ends, and never where it fails.

    All `processes` have to take part. Raises ConfigError where `out` holds anything or cannot be
    made.
    """
    with ExitStack() as stack:
        root = processes.on_main(lambda: stack.enter_context(appearing(out, _kept)))
        yield EvaluationFiles(root or out, processes)
        processes.on_main(stack.close)


def _kept(place: Path) -> str:
    """Say where an evaluation is whose place another one took meanwhile."""
    return (
        f"while models were measured: this evaluation is complete in {place}; see it with "
        f"cfft eval --from-predictions {shlex.quote(str(place))}"
    )


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


def structured(content: Any, shape: type[T], place: str) -> T:
    """Make a record of JSON; raises DataError saying which keys of `place` do not fit."""
    try:
        return cattrs.structure(content, shape)
    except (cattrs.BaseValidationError, ValueError, TypeError, KeyError) as error:
        reasons = "; ".join(cattrs.transform_error(error))
        raise DataError(f"{place}: not as cfft writes it ({reasons})") from error
