"""An evaluation on disk, complete or absent; names of models as names of files."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from cfft.data.consistency import LONGEST_NAME, file_identity
from cfft.evaluation.files.evaluation import EVALUATION, EvaluationResults
from cfft.runtime.files import numbered
from cfft.runtime.json_files import write_json
from cfft.runtime.outputs import appearing
from cfft.runtime.outside import shell_word
from cfft.runtime.processes import ALONE, Processes
from cfft.scoring.predictions import Predictions

_PREDICTIONS = "predictions"
_DIGEST = 12  # hexadecimal digits


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
        """Write a model's predictions for a set."""
        path = self.root / self.folder(label) / f"{name}.npz"
        self.processes.on_main(lambda: predictions.save(path))

    def write(self, results: EvaluationResults) -> None:
        """Write evaluation.json."""
        self.processes.on_main(lambda: write_json(self.root / EVALUATION, results))


@contextmanager
def new_evaluation(out: Path, processes: Processes = ALONE) -> Iterator[EvaluationFiles]:
    """Give files that appear in `out` when the block ends, and never if it fails.

    All `processes` have to take part. Raises ConfigError where `out` holds anything or cannot be
    made.
    """

    def kept(place: Path) -> str:
        return (
            f"while models were measured: this evaluation is complete in {place}; see it with "
            f"cfft eval --from-predictions {shell_word(str(place))}"
        )

    with ExitStack() as stack:
        root = processes.on_main(lambda: stack.enter_context(appearing(out, kept)))
        yield EvaluationFiles(root or out, processes)
        processes.on_main(stack.close)


def own_file_name(name: str, taken: Iterable[str]) -> str:
    """Return a file name for a name, distinct from all of `taken` on every file system.

    What is too long ends with a digest of all of it; equal ones end with a number, from 2 on.
    """
    stem, known = _file_name(name), set(map(file_identity, taken))
    return next(own for own in numbered(stem) if file_identity(own) not in known)


def _file_name(name: str) -> str:
    plain = re.sub(r"[^\w.=+-]+", "-", unicodedata.normalize("NFC", name)).strip("-.") or "model"
    if len(plain.encode()) <= LONGEST_NAME:
        return plain
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:_DIGEST]
    return f"{plain.encode()[: LONGEST_NAME - _DIGEST - 1].decode(errors='ignore')}-{digest}"
