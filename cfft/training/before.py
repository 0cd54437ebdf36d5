"""The accuracies before fine-tuning, measured once for runs that begin alike."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from cfft.config.comparison import MEASURED_FROM
from cfft.config.run_config import RunConfig
from cfft.data.fingerprint import sets_fingerprint
from cfft.errors import ConfigError, shortened_list
from cfft.model.weights import weights_digest
from cfft.runtime.devices import surroundings
from cfft.scoring.chance import chance
from cfft.scoring.results import SetResult
from cfft.training.prepare import Prepared
from cfft.training.results import ModelResults
from cfft.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from accelerate import Accelerator


def start_digest(
    weights: Mapping[str, Tensor], config: RunConfig, prepared: Prepared, accelerator: Accelerator
) -> str:
    """Return a SHA-256 of all that the accuracies before fine-tuning depend on.

    `weights`: those of the model that they are measured on.
    """
    settings = config.to_dict()
    facts: dict[str, Any] = {
        "cfft": version("cfft"),
        "classes": prepared.sets.classes,
        "images": sets_fingerprint((prepared.sets.test, *prepared.sets.ood)),
        "weights": weights_digest(weights),
        **{table: settings.get(table) for table in MEASURED_FROM},
        **surroundings(accelerator),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def guessing(name: str, measured: SetResult, classes: Sequence[str], prompts: Sequence[str]) -> str:
    """Say that a zero-shot model only guesses on a set, and what to look at."""
    low, high = (100 * end for end in measured.ci95 or (0, 1))
    even = 100 * (chance(measured) or 0)
    return (
        f"before fine-tuning the model only guesses on {name}: {100 * measured.top1:.1f} % of "
        f"{measured.n} images (95 % interval {low:.1f} to {high:.1f} %; chance {even:.2g} %): look "
        f"at the class names ({shortened_list(map(repr, classes), 3)}), at --prompts "
        f"({shortened_list(map(repr, prompts), 1)}) and at --pretrained: do they describe these "
        "images in words that this model was trained on?"
    )


def finished_run(root: Path) -> RunDirectory:
    """Return a run whose accuracies before fine-tuning can be taken; raises ConfigError."""
    found = RunDirectory(root)
    results = found.read_results()
    if results is None:
        raise ConfigError(
            f"--before: {root} is not the directory of a finished run (no results.json): name one, "
            "or omit --before to measure anew"
        )
    if not results.before.sets:
        raise ConfigError(
            f"--before: the run in {root} did not measure its model before fine-tuning "
            "(--no-before): name another one, or omit --before"
        )
    return found


def taken_before(run: RunDirectory, start: str, to: RunDirectory) -> ModelResults | None:
    """Copy what a finished run predicted before fine-tuning and return its accuracies.

    None where it began otherwise, by `start`, or where a file is missing or not as its results say:
    nothing is copied then.
    """
    found = run.read_results()
    if found is None or found.start != start or not found.before.sets:
        return None
    pairs = [
        (run.predictions(name, before=True), to.predictions(name, before=True))
        for name in found.before.sets
    ]
    if not all(source.is_file() for source, _ in pairs):
        return None
    if not {source.relative_to(run.root).as_posix() for source, _ in pairs}.isdisjoint(
        run.damaged(found)
    ):
        return None
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return found.before
