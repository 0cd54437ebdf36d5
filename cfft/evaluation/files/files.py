"""An evaluation on disk: where it may be written, and that it is either complete or absent."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from cfft.evaluation.files.evaluation import EVALUATION, EvaluationResults
from cfft.evaluation.files.file_names import own_file_name
from cfft.runtime.files import appearing
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
