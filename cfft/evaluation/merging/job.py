"""Run a whole merge: find the models, check them, merge, measure, write."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path

from safetensors import SafetensorError
from torch import Tensor

from cfft.errors import ConfigError, shortened_list
from cfft.evaluation.merging.entry import PlannedMerge
from cfft.evaluation.merging.measured import evaluate_merged
from cfft.evaluation.merging.members import Members, find_members, head_warnings, require_alike
from cfft.evaluation.merging.paths import PathPoint
from cfft.evaluation.merging.record import MergeRecord, record_file
from cfft.evaluation.merging.starting import starting_weights
from cfft.evaluation.merging.validation import Validation
from cfft.evaluation.merging.written import new_place, require_place, write_model
from cfft.model.stored_weights import LazyWeights
from cfft.plugin.params import values_of
from cfft.runtime.json_files import write_json
from cfft.runtime.progress import Reporter
from cfft.training.merging import RecordedScore, merged_weights
from cfft.training.results import MERGED, MergeCandidate

Weights = Mapping[str, Tensor]


def merge_models(planned: PlannedMerge, reporter: Reporter) -> MergeRecord:
    """Merge stored models and write the result to `planned.out`; return what is recorded of it.

    Of a path the point with the best validation accuracy is written, of equally good ones the
    first. Raises ConfigError and, for models that are not of one architecture, WeightsError.
    """
    strategy = planned.points[0].strategy
    try:
        members = find_members(planned.name, strategy, planned.models)
        require_alike(members)
        require_place(planned.out, members)
        for line in head_warnings(members, strategy):
            reporter.warned(line)
        return _Merging(planned, members, reporter).run()
    except (OSError, SafetensorError) as error:
        models = " and ".join(planned.models)
        reason = _reason(error, planned.out)
        raise ConfigError(f"cannot merge {models} to --out {planned.out}: {reason}") from error


def _reason(error: Exception, out: Path) -> str:
    """Spell what the system answered, and of which file where that is another one than `out`."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    is_other = error.filename not in (None, str(out))
    return f"{error.filename}: {error.strerror}" if is_other else error.strerror


class _Merging:
    """Merge `members`; all candidates are measured with one score, equal ones once."""

    def __init__(self, planned: PlannedMerge, members: Members, reporter: Reporter) -> None:
        self.planned, self.members, self.reporter = planned, members, reporter
        registry, settings = planned.registry, planned.settings
        self.validation = Validation(members, planned.layer, settings, registry, reporter)
        self.score = RecordedScore(self.validation)
        self.tuned = members.weights
        self.start = LazyWeights(partial(starting_weights, members, registry, settings, reporter))

    def run(self) -> MergeRecord:
        """Go from the models to the files."""
        with new_place(self.planned.out) as place:
            record = self._write(place)
        if self.planned.evaluation is not None:
            evaluate_merged(self.planned, self.members, self._merged_quietly, self.reporter)
        return record

    def _write(self, place: Path) -> MergeRecord:
        is_path = len(self.planned.points) > 1
        is_measured = is_path or self.planned.measured or self.planned.evaluation is not None
        if is_measured:
            self.validation.open()  # so that missing images are found before anything is merged
        if self.planned.measured:
            self._measure_members()
        point = self._best() if is_path else self.planned.points[0]
        weights = self.merged(point, self.score.unrecorded() if is_path else self.score)
        for line in self.tuned.warnings:
            self.reporter.warned(line)
        self._warn_of_unused()
        record = self._record(point, self._taken(point, weights, is_measured=is_measured))
        write_model(place, weights, self.members)
        if record.candidates:
            write_json(record_file(place), record)
        return record

    def merged(self, point: PathPoint, score: RecordedScore) -> Weights:
        """Return the weights at a point of the path."""
        name = self.planned.name
        return merged_weights(name, point.strategy, self.start, self.tuned, score)

    def _merged_quietly(self, point: PathPoint) -> Weights:
        return self.merged(point, self.score.unrecorded())

    def _measure_members(self) -> None:
        if self.members.start is not None:
            self.score(self.start, "start")
        for position in range(len(self.tuned)):
            self.score(self.tuned[position], f"model {position + 1}")
        self.tuned.used.clear()

    def _best(self) -> PathPoint:
        """Return the first of the points with the best validation accuracy."""
        tops: list[float] = []
        for point in self.planned.points:
            weights = self.merged(point, self.score.within(f"{point.name}: "))
            tops.append(self.score(weights, point.name))
            del weights  # it must not live while the next is made
        return self.planned.points[tops.index(max(tops))]

    def _taken(
        self, point: PathPoint, weights: Weights, *, is_measured: bool
    ) -> MergeCandidate | None:
        """Return the candidate whose weights are written, None where nothing was measured."""
        named = (each for each in self.score.candidates if each.candidate == point.name)
        found = next(named, None) or self.score.known(weights)
        if found is None and (is_measured or self.score.candidates):
            return MergeCandidate(MERGED, self.score(weights, MERGED))
        return found

    def _warn_of_unused(self) -> None:
        unused = [r.text for i, r in enumerate(self.members.tuned) if i not in self.tuned.used]
        if unused:
            self.reporter.warned(
                f"merge '{self.planned.name}' did not use {shortened_list(unused)}"
            )

    def _record(self, point: PathPoint, taken: MergeCandidate | None) -> MergeRecord:
        opened, start = self.validation.opened, self.members.start
        evaluation = self.planned.evaluation
        return MergeRecord(
            merge=self.planned.name,
            candidates=tuple(self.score.candidates),
            chosen=None if taken is None else taken.candidate,
            val_top1=None if taken is None else taken.val_top1,
            cfft=version("cfft"),
            parameters=values_of(point.strategy),
            start=None if start is None else start.text,
            models=tuple(ref.text for ref in self.members.tuned),
            suite=None if opened is None else opened.config.to_dict()["suite"],
            seed=None if opened is None else opened.config.seed,
            images=None if opened is None else len(opened.images),
            out=str(self.planned.out),
            evaluation=None if evaluation is None else str(evaluation),
        )
