"""Merge models by their weights, and note every candidate that was tried on validation images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
from torch import Tensor

from cfft.config.run_config import Chosen
from cfft.encoder.fit import differences
from cfft.errors import ConfigError, WeightsError, counted, returned
from cfft.model import checkpoint
from cfft.model.checkpoint import Checkpoint, is_checkpoint
from cfft.model.interfaces import Merge
from cfft.model.stored_weights import LazyWeights, StoredWeights
from cfft.model.weights import weights_digest
from cfft.runtime.processes import Processes
from cfft.training.results import MERGED, MergeCandidate, MergeResults
from cfft.training.run_directory import RunDirectory

Weights = Mapping[str, Tensor]
Measure = Callable[[Weights], float]


@attrs.frozen(eq=False)
class RecordedScore:
    """Measure weights on validation images and note them; equal weights are measured once.

    `measure`: returns top-1, 0 to 1. `prefix`: stands before the name of each candidate.
    """

    measure: Measure
    candidates: list[MergeCandidate] = attrs.field(factory=list)
    prefix: str = ""
    _known: dict[str, MergeCandidate] = attrs.field(factory=dict)

    def __call__(self, weights: Weights, candidate: str) -> float:
        """Return the validation accuracy; `candidate` names the weights in reports."""
        digest = weights_digest(weights)
        measured = self._known.get(digest)
        top1 = self.measure(weights) if measured is None else measured.val_top1
        found = MergeCandidate(f"{self.prefix}{candidate}", top1)
        if found not in self.candidates:
            self.candidates.append(found)
        self._known.setdefault(digest, found)
        return top1

    def within(self, prefix: str) -> RecordedScore:
        """Return a score that notes in the same list, with a prefix before every name."""
        return attrs.evolve(self, prefix=prefix)

    def unrecorded(self) -> RecordedScore:
        """Return a score that knows what was measured and notes nothing here."""
        return attrs.evolve(self, candidates=[])

    def known(self, weights: Weights) -> MergeCandidate | None:
        """Return the first candidate that had these weights, None where none had them."""
        return self._known.get(weights_digest(weights)) if self._known else None


def require_enough(name: str, merge: Merge, count: int) -> None:
    """Raise ConfigError where a merge needs more fine-tuned models than `count`."""
    needed = Merge.of(merge).smallest_count
    if count < needed:
        raise ConfigError(
            f"merge '{name}' needs {counted(needed, 'fine-tuned model')} or more, got {count}: "
            "name more of them (a run takes those of its stages: docs/stages.md), or choose "
            "another merge"
        )


def merged_weights(
    name: str, merge: Merge, start: Weights, tuned: Sequence[Weights], score: RecordedScore
) -> Weights:
    """Return what a merge makes of models; raises WeightsError where it is of another model."""
    weights = returned(merge, "merge", merge.merge(start, tuned, score), Mapping)
    problems = differences(tuned[-1], weights)
    if problems:
        raise WeightsError(f"merge '{name}' returned weights of another model: {problems}")
    return weights


def merge_best(
    chosen: Chosen,
    start: Callable[[], Weights],
    stages: Sequence[Path],
    directory: RunDirectory,
    measure: Measure,
    processes: Processes,
) -> MergeResults:
    """Merge the best checkpoint of a run with `start` and `stages`; put the result in its place.

    `start`: the model that training started from. `stages`: weights of models that earlier stages
    trained. The best checkpoint is kept as `unmerged`; where that is there already, an earlier
    session was stopped meanwhile, and the merge starts from it once more. Every process merges and
    `measure`s the same; the main one writes.
    """
    processes.on_main(lambda: _keep_unmerged(directory))
    unmerged = checkpoint.load_model(directory.unmerged)
    score = RecordedScore(measure)
    own = score(unmerged.weights, "unmerged")
    tuned = StoredWeights([*stages, directory.unmerged])
    weights = merged_weights(chosen.name, chosen.strategy, LazyWeights(start), tuned, score)
    taken = score.known(weights)
    top1 = score(weights, MERGED) if taken is None else taken.val_top1
    merged = Checkpoint(weights, unmerged.model)
    processes.on_main(lambda: checkpoint.save(directory.best, merged))
    return MergeResults(
        merge=chosen.name,
        candidates=tuple(score.candidates),
        chosen=MERGED if taken is None else taken.candidate,
        val_top1=top1,
        unmerged_val_top1=own,
    )


def _keep_unmerged(directory: RunDirectory) -> None:
    if not is_checkpoint(directory.unmerged):
        checkpoint.save(directory.unmerged, checkpoint.load_model(directory.best))
