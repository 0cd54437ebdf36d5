"""One session of a run in its directory, from the start or from its last checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from cfft import checkpoint
from cfft.checkpoint import Checkpoint, is_checkpoint, write_text
from cfft.config import RunConfig
from cfft.engine import TrainingStep
from cfft.errors import ConfigError
from cfft.evaluate import Predictions, Reading, precision_of
from cfft.measure import Measuring
from cfft.models import ModelDescription
from cfft.optimisation import Optimisation
from cfft.prepare import Prepared, starting_models, training_step
from cfft.progress import Reporter
from cfft.registry import Registry
from cfft.results import SCHEMA, RunDirectory, gains
from cfft.sheet import write_sheet
from cfft.state import RunState
from cfft.trainer import Metrics, Trainer

if TYPE_CHECKING:
    from accelerate import Accelerator


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
    ) -> None:
        self.config, self.directory, self.prepared = config, directory, prepared
        self.accelerator, self.reporter = accelerator, reporter
        self.hook = registry.plugins.hook
        batch_size = 2 * prepared.batches.micro  # no gradients are kept: twice as many fit
        reading = Reading(prepared.pretrained.preprocessing, batch_size, config.training.workers)
        self.measuring = Measuring(prepared.sets, reading, accelerator, reporter)

    def run(self) -> dict[str, Any]:
        """Go through what is left of the run; write its results and return them."""
        stored = checkpoint.load(self.directory.last) if self._resumes else None
        state = RunState() if stored is None else self._restored(stored)
        self._begin()
        step = self._step(state)
        trainer = self._trainer(step, state)
        if stored is None:
            self._write_sheet(step)
            trainer.save_last()
        else:
            trainer.restore(stored)
        if state.before is None:
            state.before = self._scores(trainer, before=True)
        validate = partial(self.measuring.validation_top1, step.student)
        trainer.train(validate, self._epoch_ended)
        if not state.best_epoch:
            trainer.save_best()  # a run of no epochs: the model that it started from
        step.student.load_weights(checkpoint.load_model(self.directory.best).weights)
        return self._finish(state, self._scores(trainer, before=False))

    @property
    def _resumes(self) -> bool:
        return is_checkpoint(self.directory.last)

    def _restored(self, stored: Checkpoint) -> RunState:
        """Return the stored state; raises ConfigError where files have changed under the run."""
        found = ModelDescription.from_json(json.dumps(stored.model), self.directory.last)
        problems = self.prepared.description.differences(found)
        kept: Mapping[str, Any] = stored.state or {}
        if kept["surroundings"]["pictures"] != self.prepared.fingerprint:
            problems.append("the training pictures are others")
        if problems:
            raise ConfigError(
                f"--resume: {self.directory.root} was started with other files: "
                f"{'; '.join(problems)}: bring them back, or start a new run"
            )
        before, now = kept["surroundings"]["processes"], self.accelerator.num_processes
        if before != now:
            self.reporter.warned(
                f"resumed on {now} processes instead of {before}: masks and donors are other ones "
                "than the run would have drawn without the interruption"
            )
        state = RunState(**kept["run"])
        done = f"{state.step} of {self.prepared.steps.total} steps are done"
        self.reporter.warned(f"going on with the run in {self.directory.root}: {done}")
        return state

    def _begin(self) -> None:
        self.accelerator.wait_for_everyone()  # by now each process has looked at the directory
        if not self.accelerator.is_main_process:
            return
        if not self._resumes:
            self.directory.root.mkdir(parents=True, exist_ok=True)
            write_text(self.directory.config, self.config.to_toml())
        self.hook.cfft_run_started(config=self.config, out=self.directory.root)

    def _step(self, state: RunState) -> TrainingStep:
        encoder = self.prepared.pretrained.encoder
        models = starting_models(self.prepared, partial(self.measuring.training_features, encoder))
        step = training_step(self.config, models).to(self.accelerator.device)
        for label in step.teachers:
            self._set_variance(step, label, state.feature_variances)
        return step

    def _write_sheet(self, step: TrainingStep) -> None:
        if step.strategies is not None and self.accelerator.is_main_process:
            sets, preprocessing = self.prepared.sets, self.prepared.pretrained.preprocessing
            page = self.directory.sheet
            write_sheet(step, sets.train, sets.classes, preprocessing, self.config.seed, page)

    def _set_variance(self, step: TrainingStep, label: str, known: dict[str, float]) -> None:
        teacher = step.teacher(label)
        if "teacher.feature_variance" not in teacher.needs:
            return
        if label not in known:
            known[label] = self.measuring.feature_variance(label, teacher, self.config.seed)
        teacher.feature_variance = torch.tensor(known[label], device=self.accelerator.device)

    def _trainer(self, step: TrainingStep, state: RunState) -> Trainer:
        optimisation = Optimisation(
            step,
            self.config.training,
            self.prepared.batches,
            self.prepared.steps,
            self.config.seed,
            self.accelerator,
        )
        return Trainer(self.prepared, step, optimisation, self.directory, self.reporter, state)

    def _scores(self, trainer: Trainer, *, before: bool) -> dict[str, Any]:
        def keep(name: str, predictions: Predictions) -> None:
            if self.accelerator.is_main_process:
                predictions.save(self.directory.predictions(name, before=before))

        return self.measuring.scores(trainer.student, keep).record()

    def _epoch_ended(self, epoch: int, metrics: Metrics) -> None:
        if self.accelerator.is_main_process:
            self.hook.cfft_epoch_ended(epoch=epoch, metrics=metrics)

    def _finish(self, state: RunState, after: Mapping[str, Any]) -> dict[str, Any]:
        before = state.before or {}
        results = {
            "schema": SCHEMA,
            "run": self.directory.root.resolve().name,
            "config": self.config.to_dict(),
            **after,
            "before": before,
            "differences": gains(before, after),
            "classes": list(self.prepared.sets.classes),
            "skipped": [dict(record) for record in self.prepared.skipped],
            "epochs": state.epoch,
            "best_epoch": state.best_epoch,
            "best_val_top1": state.best_top1,
            "stopped_early": state.stopped_early,
            "precision": precision_of(self.accelerator),
            "device": self.accelerator.device.type,
            "processes": self.accelerator.num_processes,
            "seconds": state.seconds,
            "images_per_second": state.images_per_second,
        }
        if self.accelerator.is_main_process:
            self.directory.write_results(results)
            self.hook.cfft_run_ended(results=results)
        return results
