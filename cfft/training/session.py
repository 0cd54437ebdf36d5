"""One session of a run in its directory, from the start or from its last checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import Tensor

from cfft.config.comparison import is_longer, same_run
from cfft.config.resolve import in_current_terms
from cfft.config.run_config import RunConfig
from cfft.data.suite import Suite
from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError, DataError
from cfft.model import checkpoint
from cfft.model.checkpoint import Checkpoint, is_checkpoint
from cfft.model.description import ModelDescription
from cfft.model.rebuild import empty_classifier
from cfft.plugin.registry import Registry
from cfft.runtime.devices import processes_of, surroundings
from cfft.runtime.files import StoredFile, replacing, write_text
from cfft.runtime.json_files import as_json, structured, write_json
from cfft.runtime.progress import Reporter
from cfft.scoring.chance import is_near_chance
from cfft.scoring.predictions import Predictions
from cfft.scoring.results import SetResult
from cfft.step.constants import KeptOutputs
from cfft.step.engine import TrainingStep
from cfft.training.before import guessing, start_digest, taken_before
from cfft.training.constants import run_constants
from cfft.training.coverage import (
    coverage_notes,
    coverage_warnings,
    declared_coverage,
    measure_coverage,
)
from cfft.training.evaluator import Evaluator
from cfft.training.inputs import RunInputs, allowed_changes
from cfft.training.merging import merge_best
from cfft.training.optimisation import Optimisation
from cfft.training.prepare import Prepared, model_source, training_step
from cfft.training.rehearsal import rehearse, weight_average
from cfft.training.results import Gains, MergeResults, ModelResults, RunResults
from cfft.training.run_directory import RunDirectory
from cfft.training.stages import StagePlaces, merged_stages
from cfft.training.starting_model import alike_classes, with_starting_head
from cfft.training.state import RunState
from cfft.training.text_towers import text_side
from cfft.training.trainer import Metrics, Trainer

if TYPE_CHECKING:
    from accelerate import Accelerator
    from matplotlib.figure import Figure


class Session:
    """Start a prepared run, or go on with it where its directory holds a checkpoint."""

    def __init__(
        self,
        config: RunConfig,
        registry: Registry,
        directory: RunDirectory,
        prepared: Prepared,
        accelerator: Accelerator,
        reporter: Reporter,
        places: StagePlaces | None = None,
        before: RunDirectory | None = None,
        allowed: Collection[str] = (),
    ) -> None:
        self.places, self.before, self.allowed = places, before, allowed
        self.has_other_settings = False  # than the run was begun with
        self.config, self.directory, self.prepared = config, directory, prepared
        self.accelerator, self.reporter = accelerator, reporter
        self.processes = processes_of(accelerator)
        self.registry, self.hook = registry, registry.hook
        batch_size = 2 * prepared.batches.micro  # no gradients are kept: twice as many fit
        reading = prepared.reading(batch_size, config.training.workers, directory.root)
        self.measuring = Evaluator(prepared.sets, reading, accelerator, reporter)

    def run(self) -> RunResults:
        """Go through what is left of the run; write its results and return them."""
        last = self.directory.last
        stored = checkpoint.load(last) if is_checkpoint(last) else None
        inputs = RunInputs.of(self.config, self.prepared)
        state = RunState() if stored is None else self._restored(stored, inputs)
        step = self._step(state)
        inputs = inputs.with_teachers(step, self.start)
        config, prepared = self.config, self.prepared
        optimisation = Optimisation(
            *(step, config.training, prepared.batches, prepared.steps, config.seed),
            *(self.accelerator, config.adaptation.strategy),
        )
        trainer = Trainer(
            *(prepared, step, optimisation, self.directory, self.reporter, state, self.average),
            inputs=inputs,
        )
        final = self._plain(step.student)
        if stored is None:
            rehearse(step, config, prepared, self.accelerator)
            state.hidden = self._hidden(step)
            self._begin(trainer, step, state)
        else:
            self._accept(state, stored, inputs.of_teachers())
            self._make_up(step, state)
            trainer.restore(stored)
            kept = state.kept
            state.keep(self.config.training.keep_best)  # perhaps fewer than the run began with
            if self.has_other_settings or state.kept != kept:
                trainer.save_last()  # or settings are asked for, and epochs missed, after a crash
            trainer.drop_epochs()  # a crash may have come before
        started = self.hook.cfft_run_started
        self.processes.on_main(lambda: started(config=self.config, out=self.directory.root))
        if state.before is None and self.config.training.no_before:
            state.before = ModelResults({})
        if state.before is None:
            trained = {name: value.clone() for name, value in final.weights().items()}
            final.load_weights(self.start.weights())
            state.start = start_digest(
                final.weights(), self.config, self.prepared, self.accelerator
            )
            state.before = self._taken(state.start) or self._measured_before(final)
            if stored is not None:  # then the student, which may be `final`, is further on
                final.load_weights(trained)
        if not trainer.is_finished:
            step.kept = self._kept(step)
            trainer.train(self.measuring.validation, self._epoch_ended)
            step.kept = KeptOutputs()
        if not state.best_epoch:
            trainer.save_best()  # a run of no epochs: the model that it started from
        merged = self._merged(final)
        final.load_weights(checkpoint.load_model(self.directory.best).weights)
        return self._finish(state, state.before, self._results(final, before=False), merged)

    def _kept(self, step: TrainingStep) -> KeptOutputs:
        """Compute what is constant over training."""
        constants = run_constants(self.config, self.prepared)
        return self.measuring.constants(step, constants, self.directory.root, self.config.seed)

    def _taken(self, start: str) -> ModelResults | None:
        """Take the accuracies before fine-tuning from the run that is named, if it has them."""
        other = self.before
        if other is None:
            return None
        found = self.processes.from_main(lambda: taken_before(other, start, self.directory))
        said = (
            f"{other.root} began with another model or other images, or lost predictions: "
            "measured anew"
            if found is None
            else f"the accuracies before fine-tuning are those of {other.root}"
        )
        self.reporter.noted(said)
        return found

    def _measured_before(self, final: Classifier) -> ModelResults:
        """Measure the model before fine-tuning; warn where its zero-shot head only guesses."""
        found = self._results(final, before=True)
        described, prompts = self.prepared.description, self.prepared.description.prompts
        measured = found.sets[self.prepared.sets.test.name]
        reads_prompts = described.head == "zero-shot" and self.prepared.pretrained.trained
        if reads_prompts and is_near_chance(measured):
            name = self.prepared.sets.test.name
            self.reporter.warned(guessing(name, measured, described.classes, prompts))
        return found

    def _merged(self, final: Classifier) -> MergeResults | None:
        """Merge the best checkpoint as configured; `final` measures what is tried."""
        if self.config.merge is None:
            return None

        def measure(weights: Mapping[str, Tensor]) -> float:
            final.load_weights(weights)
            return self.measuring.validation_top1(final)

        stages = merged_stages(self.config, self.directory)
        return merge_best(
            *(self.config.merge, self.start.weights, stages, self.directory, measure),
            self.processes,
        )

    def _accept(self, state: RunState, stored: Checkpoint, inputs: RunInputs) -> None:
        """Note what has changed since the run was started; raises ConfigError where it may not."""
        kept: Mapping[str, Any] = stored.state or {}
        known = {key: value for key, value in kept["surroundings"].items() if key != "machine"}
        before = structured(known, RunInputs, str(self.directory.last))
        if before.config is not None:  # perhaps of a version that knew fewer settings
            before = attrs.evolve(before, config=in_current_terms(before.config, self.registry))
        changes = allowed_changes(before, inputs, self.allowed, self.directory.root)
        one, other = before.config, inputs.config
        self.has_other_settings = None not in (one, other) and not (
            same_run(one or {}, other or {}) or is_longer(one or {}, other or {})
        )
        if self.has_other_settings:
            changes = [f"{line} (from step {state.step + 1} on)" for line in changes]
        for line in (line for line in changes if line not in state.changes):
            self.reporter.warned(f"resumed although changed: {line}")
            state.changes = (*state.changes, line)

    def _make_up(self, step: TrainingStep, state: RunState) -> None:
        """Make what the run wrote before training again, where that was lost."""
        self.processes.on_main(self._take_settings)
        if not self.processes.from_main(lambda: self._has_sheet(state.sheet)):
            sheet = self.processes.on_main(lambda: self._sheet(step))
            state.sheet = self.processes.from_main(lambda: self._write_sheet(sheet))
        before = state.before
        if before is not None and not self.processes.from_main(self._has(before)):
            self.reporter.noted("predictions before fine-tuning were lost: they are made again")
            state.before = None

    def _known_sheet(self) -> StoredFile | None:
        """Return what a finished run says of its sheet."""
        found = self.directory.read_results()
        return None if found is None else found.files.get(self.directory.sheet.name)

    def _has_sheet(self, stored: StoredFile | None) -> bool:
        path, known = self.directory.sheet, stored or self._known_sheet()
        if known is not None:
            return known.describes(path)
        return path.is_file() and path.stat().st_size > 0

    def _take_settings(self) -> None:
        before = in_current_terms(self.directory.read_config(), self.registry)
        if not same_run(before, self.config.to_dict()):
            write_text(self.directory.config, self.config.to_toml())

    def _has(self, before: ModelResults) -> Callable[[], bool]:
        def readable() -> bool:
            try:
                for name in before.sets:
                    Predictions.load(self.directory.predictions(name, before=True))
            except DataError:
                return False
            return True

        return readable

    def _restored(self, stored: Checkpoint, inputs: RunInputs) -> RunState:
        found = ModelDescription.of(stored.model, self.directory.last)
        problems = self.prepared.description.differences(found)
        kept: Mapping[str, Any] = stored.state or {}
        if problems:
            raise ConfigError(
                f"--resume: {self.directory.root} was started with different files: "
                f"{'; '.join(problems)}: restore them, or start a new run"
            )
        before, now = kept["surroundings"]["machine"], surroundings(self.accelerator)
        for name in (name for name in now if now[name] != before[name]):
            self.reporter.warned(
                f"resumed with {name} {now[name]} instead of {before[name]}: the numbers will "
                "differ from those of a run without interruption"
            )
        state = structured(kept["run"], RunState, str(self.directory.last))
        if state.best is not None:
            self.reporter.resumed(state.best)
        self._accept(state, stored, inputs)
        done = f"{state.step} of {self.prepared.steps.total} steps are done"
        self.reporter.noted(f"resuming the run in {self.directory.root}: {done}")
        return state

    def _plain(self, student: Classifier) -> Classifier:
        """Return a model that takes plain weights: the student, unless it has adapters."""
        if not student.is_adapted:
            return student
        pretrained, described = self.prepared.pretrained, self.prepared.description
        plain = deepcopy(empty_classifier(pretrained, len(described.classes), described.normalised))
        return plain.to(self.accelerator.device)

    def _begin(self, trainer: Trainer, step: TrainingStep, state: RunState) -> None:
        sheet = self.processes.on_main(lambda: self._sheet(step))
        config = self.config.to_toml()
        # by now each process has looked for a run there
        self.processes.on_main(lambda: write_text(self.directory.config, config))
        state.sheet = self.processes.from_main(lambda: self._write_sheet(sheet))
        trainer.save_last()

    def _write_sheet(self, sheet: Figure | None) -> StoredFile | None:
        if sheet is None:
            return None
        drawn = BytesIO()  # where the disk is full, the writer of PNG does not say so
        sheet.savefig(drawn, format="png")
        with replacing(self.directory.sheet) as file:
            file.write_bytes(drawn.getvalue())
        return StoredFile.of(self.directory.sheet)

    def _step(self, state: RunState) -> TrainingStep:
        pretrained, description = self.prepared.pretrained, self.prepared.description
        features = partial(self.measuring.training_features, pretrained.encoder)
        start = with_starting_head(pretrained, description, features)
        known = Suite.of(self.config.suite.strategy).shared_names
        warning = alike_classes(start, known, but_named=True)  # the plan has named those
        if warning is not None:
            self.reporter.warned(warning)
        self.start = start.classifier  # it shares the encoder with what was prepared
        source = model_source(start.classifier, description, self.places)
        text = text_side(self.config, pretrained, description.classes)
        self.average = weight_average(self.config, source, text, self.accelerator.device)
        averaged = None if self.average is None else self.average.model
        step = training_step(self.config, source, text=text, average=averaged)
        step.class_weights = self.prepared.class_weights
        step.to(self.accelerator.device)
        step.student.encoder.checkpointed = self.config.training.checkpoint_activations
        for label in step.labels:
            self._set_variance(step, label, state.feature_variances)
        return step

    def _sheet(self, step: TrainingStep) -> Figure | None:
        if not step.views:
            return None
        from cfft.training.sheet import sample_sheet  # matplotlib: a plan does without

        sets, preprocessing = self.prepared.sets, self.prepared.pretrained.preprocessing
        drawn = (step, sets.train, sets.classes, preprocessing, self.config.seed)
        return sample_sheet(*drawn, self.prepared.augmentation)

    def _hidden(self, step: TrainingStep) -> dict[str, float]:
        """Measure what the views hide; say so, and warn of what is likely to be a mistake."""
        sets, preprocessing = self.prepared.sets, self.prepared.pretrained.preprocessing
        measured = (step, sets.train, preprocessing, self.prepared.batches.micro, self.config.seed)
        found = self.processes.from_main(lambda: measure_coverage(*measured))
        known = declared_coverage(self.config, self.prepared.pretrained)  # the plan has warned
        unknown = {label: each for label, each in found.items() if label not in known}
        warnings = [*coverage_warnings(self.config, unknown)]
        for message in warnings:
            self.reporter.warned(message)
        for message in () if warnings else coverage_notes(self.config, found):
            self.reporter.noted(message)
        return {label: coverage.share for label, coverage in found.items()}

    def _set_variance(self, step: TrainingStep, label: str, known: dict[str, float]) -> None:
        teacher = step.teacher(label)
        if "teacher.feature_variance" not in teacher.needs:
            return
        if label not in known:
            known[label] = self.measuring.feature_variance(label, teacher, self.config.seed)
        teacher.feature_variance = torch.tensor(known[label], device=self.accelerator.device)

    def _results(self, classifier: Classifier, *, before: bool) -> ModelResults:
        def keep(name: str, predictions: Predictions) -> None:
            path = self.directory.predictions(name, before=before)
            self.processes.on_main(lambda: predictions.save(path))

        return self.measuring.results(classifier, keep, self._told if before else None)

    def _told(self, name: str, measured: SetResult) -> None:
        self.reporter.measured(name, measured.role, measured.top1, before=True)

    def _epoch_ended(self, epoch: int, metrics: Metrics) -> None:
        self.processes.on_main(lambda: self.hook.cfft_epoch_ended(epoch=epoch, metrics=metrics))

    def _finish(
        self,
        state: RunState,
        before: ModelResults,
        after: ModelResults,
        merged: MergeResults | None,
    ) -> RunResults:
        sets = self.prepared.sets
        results = RunResults(
            run=self.directory.root.resolve().name,
            config=self.config.to_dict(),
            sets=after.sets,
            ood_average=after.ood_average,
            before=before,
            differences=Gains.between(before, after),
            classes=tuple(sets.classes),
            absent=dict(sets.absent),
            skipped=self.prepared.skipped,
            hidden=state.hidden,
            start=state.start,
            epochs=state.epoch,
            best_epoch=state.best_epoch,
            best_val_top1=state.best_top1,
            best_val=None if state.best_score is None else abs(state.best_score),
            kept_epochs=tuple(each.epoch for each in state.kept),
            stopped_early=state.stopped_early,
            merge=merged,
            **surroundings(self.accelerator),
            seconds=state.seconds,
            images_per_second=state.images_per_second,
            changes=state.changes,
            files=self.processes.from_main(self.directory.stored_files),
        )
        self.processes.on_main(lambda: self._write(results))
        self.processes.on_main(lambda: tell_of_end(self.directory, self.registry, results))
        return results

    def _write(self, results: RunResults) -> None:
        if self.hook.cfft_run_ended.get_hookimpls():
            write_text(self.directory.untold, "")
        write_json(self.directory.results, results)


def tell_of_end(directory: RunDirectory, registry: Registry, results: RunResults) -> None:
    """Call the hooks that hear of a run's end, unless they have heard of it in another session."""
    if directory.untold.exists():
        registry.hook.cfft_run_ended(results=as_json(results))
        directory.untold.unlink()
