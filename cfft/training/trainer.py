"""Epochs: batches in their order, metrics, validation, checkpoints, and stopping in between."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from cfft.data.loading import Loader
from cfft.encoder.encoder import Classifier
from cfft.errors import DataError, counted
from cfft.model import checkpoint
from cfft.model.checkpoint import Checkpoint
from cfft.model.heads import prompts_head
from cfft.plugin.failures import failures_named
from cfft.runtime.devices import agreement, processes_of, surroundings
from cfft.runtime.interrupts import StopWish, listening
from cfft.runtime.json_files import as_json
from cfft.runtime.progress import Reporter
from cfft.step.engine import TrainingStep
from cfft.training.averaging import WeightAverage
from cfft.training.inputs import RunInputs
from cfft.training.metrics import MetricsLog, Window, written_metrics
from cfft.training.optimisation import Optimisation
from cfft.training.prepare import Prepared
from cfft.training.results import MEASURES, chosen_by
from cfft.training.run_directory import RunDirectory
from cfft.training.schedule import parse_interval
from cfft.training.state import RunState

Metrics = dict[str, float]
_ADAPTERS, _AVERAGE, _TEXT, _AVERAGED_TEXT = "adapters", "average", "text", "averaged-text"


class Trainer:
    """Train the student of `step` epoch by epoch, from wherever `state` stands."""

    def __init__(
        self,
        prepared: Prepared,
        step: TrainingStep,
        optimisation: Optimisation,
        directory: RunDirectory,
        reporter: Reporter,
        state: RunState,
        average: WeightAverage | None = None,
        *,
        inputs: RunInputs,
    ) -> None:
        self.inputs = inputs
        self.average, self.text = average, step.text
        self.head_from_text = step.task.head_from_text
        self.prepared, self.student, self.optimisation = prepared, step.student, optimisation
        self.directory, self.reporter, self.state = directory, reporter, state
        self.training, self.accelerator = optimisation.training, optimisation.accelerator
        self.processes = processes_of(self.accelerator)
        self._agreed = agreement(self.accelerator)
        names = ("loss", *step.weights, "grad_norm")
        place = self.processes.index, self.processes.count
        self.window = Window(names, self.accelerator.device, self.accelerator.gather, place)
        self.log = MetricsLog(directory.metrics)
        self._interval = parse_interval(self.training.checkpoint_every)
        self._saved = (state.step, time.monotonic())

    @property
    def is_finished(self) -> bool:
        """Tell whether all epochs are done or patience is at its end."""
        return self.state.stopped_early or self.state.epoch >= self.training.epochs

    @property
    def kept(self) -> Classifier:
        """Return the model that is validated and stored: the student, or the average."""
        if self.average is None or not self.average.is_kept:
            return self.student
        return self.average.model

    def train(
        self,
        validate: Callable[[Classifier], Mapping[str, float]],
        epoch_ended: Callable[[int, Metrics], None],
    ) -> None:
        """Train to the end; raises TrainingError where a loss is not finite.

        `validate` returns what validation measures of a model, see `validation_scores`;
        `epoch_ended` hears of each epoch, counted from 1, once it is stored. SIGINT and SIGTERM let
        the optimiser step end, store everything and raise KeyboardInterrupt; several processes
        agree on that after every step.
        """
        pin = self.accelerator.device.type == "cuda"
        workers, augmentation = self.training.workers, self.prepared.augmentation
        reading = self.prepared.reading(self.prepared.batches.micro, workers)
        loader = reading.loader(self.prepared.sets.train, pin, augmentation)
        with failures_named(lambda: f" after step {self.state.step}"), listening() as wish:
            while not self.is_finished:
                began = time.monotonic()
                with self._stored_on_failure():
                    self._train_epoch(loader, wish)
                self._settle()
                measured = validate(self.kept)
                metrics = {f"val_{name.replace('-', '_')}": v for name, v in measured.items()}
                metrics["seconds"] = time.monotonic() - began
                self._end_epoch(metrics)
                epoch_ended(self.state.epoch, metrics)
                self._stop_if(wish)

    def save_best(self) -> None:
        """Store the model as it stands as the best one."""
        self._settle()
        self._store_best()

    def save_last(self) -> None:
        """Store everything that a resumed run needs; raises TrainingError if it is not finite."""
        self.optimisation.settle()
        content = Checkpoint(
            self.student.weights(),
            as_json(self.prepared.description),
            self.optimisation.tensors(),
            {
                "surroundings": {
                    **as_json(self.inputs),
                    "machine": surroundings(self.accelerator),
                },
                "run": self.state.record(),
                "window": self.window.record(),
                "optimisation": self.optimisation.record(),
                "metrics": as_json(self.processes.on_main(self.log.written)),
            },
            self._trained(),
        )
        self._write(self.directory.last, content)
        self._saved = (self.state.step, time.monotonic())

    def restore(self, stored: Checkpoint) -> None:
        """Go on from what `save_last` stored, all but the state, which is the caller's."""
        kept = stored.state or {}
        trained = stored.trained
        if self.student.is_adapted:
            self.student.load_adapters(stored.weights, _part(trained, _ADAPTERS))
        else:
            self.student.load_weights(stored.weights)
        if self.average is not None:
            self.average.model.load_weights(_part(trained, _AVERAGE))
        for name, tower in self._towers().items():
            tower.load_state_dict(_part(trained, name))
        self.optimisation.restore(stored.optimizer or {}, kept["optimisation"])
        self.window.restore(kept["window"])
        written = written_metrics(kept, self.directory.last)
        done = (self.state.step, self.state.epoch, written)
        warning = self.processes.on_main(lambda: self.log.rewind(*done))
        if warning is not None:
            self.reporter.warned(warning)

    def _trained(self) -> dict[str, Tensor]:
        """Return the tensors besides the model's that a resumed run needs."""
        parts = {_ADAPTERS: self.student.adapters()}
        if self.average is not None:
            parts[_AVERAGE] = self.average.model.weights()
        parts |= {name: tower.state_dict() for name, tower in self._towers().items()}
        return {f"{part}.{key}": value for part, own in parts.items() for key, value in own.items()}

    def _towers(self) -> dict[str, nn.Module]:
        """Return the text towers that training changes."""
        if self.text is None or not self.text.trained:
            return {}
        averaged = {} if self.text.averaged is None else {_AVERAGED_TEXT: self.text.averaged}
        return {_TEXT: self.text.tower, **averaged}

    def _settle(self) -> None:
        """Bring the model into the state in which it is measured and stored."""
        self.optimisation.settle()
        if not self.head_from_text or self.text is None:
            return
        averaged = self.text.averaged if self.kept is not self.student else None
        tower = self.text.tower if averaged is None else averaged
        scale = float(cast(Tensor, tower.logit_scale).detach())
        head = prompts_head(tower, scale, self.text.classes, self.text.templates)
        self.kept.head.take_weight(head.weight)
        self.kept.head.bias.detach().zero_()

    def _store_best(self) -> None:
        self._store(self.directory.best)

    def _store(self, place: Path) -> None:
        model = as_json(self.prepared.description)
        self._write(place, Checkpoint(self.kept.weights(), model))

    def _take_in(self) -> None:
        if self.average is None:
            return
        self.optimisation.settle()
        tower = None if self.text is None else self.text.student
        weights, steps = self.student.weights(), self.prepared.steps.total
        self.average.update(weights, tower, self.state.step + 1, steps)

    def _train_epoch(self, loader: Loader, wish: StopWish) -> None:
        state, per_epoch = self.state, self.prepared.steps.per_epoch
        first = state.step - state.epoch * per_epoch
        place = state.epoch, self.accelerator.process_index, first
        batches = self.prepared.batches
        loaded = loader.load(
            batches.micro_batches(self.optimisation.seed, *place), batches.numbers(*place)
        )
        task = f"epoch {state.epoch + 1}/{self.training.epochs}"
        began = time.monotonic()
        with self.reporter.task(task, per_epoch) as advance:
            for position in range(first + 1, per_epoch + 1):
                lr = self.optimisation.lr
                self.window.add(state.step + 1, self.optimisation.take(state.step, loaded))
                self._take_in()
                now = time.monotonic()
                self.window.seconds += now - began
                state.count_step(self.prepared.batches.batch, now - began)
                began = now
                advance(position)
                self._after_step(lr, wish, is_last=position == per_epoch)

    @contextmanager
    def _stored_on_failure(self) -> Iterator[None]:
        """Name a plug-in that fails in a step; where a batch is lacking, store the steps before.

        A process alone stores them: others may be in a step, and would wait for this one for ever.
        """
        try:
            with failures_named(lambda: f" at step {self.state.step + 1}"):
                yield
        except DataError:
            if self.processes.count == 1:
                self.save_last()
            raise

    def _after_step(self, lr: float, wish: StopWish, *, is_last: bool) -> None:
        if is_last or self.state.step % self.training.log_every == 0:
            self._write_line(lr)
        if not is_last:
            step, moment = self._saved
            due = self._interval.is_due(self.state.step - step, time.monotonic() - moment)
            self._stop_if(wish, is_due=due)

    def _write_line(self, lr: float) -> None:
        images = self.window.steps * self.prepared.batches.batch
        speed = images / max(self.window.seconds, 1e-9)
        metrics = {**self.window.means(), "lr": lr, "images_per_second": speed}
        line = {"step": self.state.step, "epoch": self.state.epoch + 1, **metrics}
        self.processes.on_main(lambda: self.log.write(line))
        self.reporter.stepped(self.state.step, metrics)

    def _stop_if(self, wish: StopWish, *, is_due: bool = False) -> None:
        """Store everything where that is due or a process is to stop, and stop where one is."""
        stops, stores = self._agreed(wish.asked, is_due)
        if stops or stores:
            self.save_last()
        if stops:
            raise KeyboardInterrupt

    def _end_epoch(self, metrics: Metrics) -> None:
        patience, ties = self.training.patience, self.training.ties
        top1, score = metrics["val_top1"], chosen_by(self.training.val_metric, metrics)
        own = None if self.training.val_metric == "top1" else score
        is_best = self.state.take_validation(top1, patience, ties, own)
        if self._is_kept(score):
            self._store(self.directory.epoch(self.state.epoch))
        if is_best:
            self._store_best()  # it is settled, as it was validated
        line = {"epoch": self.state.epoch, "step": self.state.step, **metrics}
        self.processes.on_main(lambda: self.log.write(line))
        self.reporter.epoch_ended(self.state.epoch, metrics)
        self.save_last()
        self.drop_epochs()
        if self.state.stopped_early:
            self.reporter.noted(
                f"stopped early after epoch {self.state.epoch}: no better validation "
                f"{MEASURES[self.training.val_metric]} for {counted(self.state.waited, 'epoch')} "
                "(--patience)"
            )

    def _is_kept(self, score: float) -> bool:
        """Tell whether the epoch is kept beside the best one, as one of several."""
        count, ties = self.training.keep_best, self.training.ties
        return count > 1 and self.state.rank(score, count, ties)

    def drop_epochs(self) -> None:
        """Remove the checkpoints of epochs that `last` no longer counts among the best."""
        self.processes.on_main(self._drop_epochs)

    def _drop_epochs(self) -> None:
        kept = {each.epoch for each in self.state.kept}
        for number, path in self.directory.epochs().items():
            if number not in kept:
                shutil.rmtree(path)

    def _write(self, directory: Path, content: Checkpoint) -> None:
        self.processes.on_main(lambda: checkpoint.save(directory, content))


def _part(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    start = f"{part}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
