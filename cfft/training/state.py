"""The state of a run that outlives its sessions."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

import attrs
from cattrs.gen import override

from cfft.runtime.files import StoredFile
from cfft.runtime.json_files import as_json
from cfft.training.results import ModelResults

Ties = Literal["later", "earlier"]


@attrs.frozen
class KeptEpoch:
    """Hold an epoch, counted from 1, and what it is chosen by, the higher the better."""

    epoch: int
    score: float


@attrs.define
class RunState:
    """Hold where a run stands.

    `step`: optimiser steps done. `epoch`: epochs done, validation included. `best_epoch`: counted
    from 1, 0 before the first. `best_top1`: its validation accuracy. `best_score`: what it was
    chosen by, the higher the better, None where that is the accuracy. `waited`: epochs since that
    was first reached. `kept`: the best epochs, the best first, where several are kept.
    `images_seen` and `training_seconds`: of all optimiser steps, over all processes.
    `feature_variances`: by teacher. `hidden`: the share of an image that each view hides, by label.
    `before`: the accuracies before fine-tuning; `start`: what they depend on, see start_digest.
    `sheet`: what counterfactuals.png has to be, None where there is none; older versions lack it.
    `changes`: what was allowed to differ when the run was resumed.
    `past_seconds`: what earlier sessions took.
    """

    step: int = 0
    epoch: int = 0
    best_epoch: int = 0
    best_top1: float | None = None
    best_score: float | None = None
    kept: tuple[KeptEpoch, ...] = ()
    waited: int = 0
    stopped_early: bool = False
    images_seen: Annotated[int, override(rename="pictures_seen")] = 0  # in files of all versions
    training_seconds: float = 0.0
    feature_variances: dict[str, float] = attrs.field(factory=dict)
    hidden: dict[str, float] = attrs.field(factory=dict)
    before: ModelResults | None = None
    start: str | None = None
    sheet: StoredFile | None = None
    changes: tuple[str, ...] = ()
    past_seconds: float = 0.0
    _began: float = attrs.field(factory=time.monotonic, init=False)

    def record(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {**as_json(self), "past_seconds": self.seconds}

    @property
    def seconds(self) -> float:
        """Return how long the run has taken, over all sessions."""
        return self.past_seconds + time.monotonic() - self._began

    @property
    def images_per_second(self) -> float:
        """Return the images trained on per second of training, over all processes."""
        return self.images_seen / self.training_seconds if self.training_seconds else 0.0

    def count_step(self, images: int, seconds: float) -> None:
        self.step += 1
        self.images_seen += images
        self.training_seconds += seconds

    @property
    def best(self) -> float | None:
        """What the best epoch was chosen by, the higher the better; None before the first."""
        return self.best_top1 if self.best_score is None else self.best_score

    def take_validation(
        self, top1: float, patience: int | None, ties: Ties, score: float | None = None
    ) -> bool:
        """Count an epoch with that validation accuracy; tell whether it is the best so far.

        `score`: what epochs are chosen by, the higher the better, None for the accuracy. `ties`:
        which of equally good epochs is the best one. `patience` waits for a strictly higher
        one either way.
        """
        self.epoch += 1
        value = top1 if score is None else score
        is_higher = self.best is None or value > self.best
        is_best = is_higher or (ties == "later" and value == self.best)
        if is_best:
            self.best_epoch, self.best_top1, self.best_score = self.epoch, top1, score
        self.waited = 0 if is_higher else self.waited + 1
        self.stopped_early = patience is not None and self.waited >= patience
        return is_best

    def keep(self, count: int) -> None:
        """Keep no more than the `count` best epochs, and none but the best one where it is 1."""
        self.kept = self.kept[:count] if count > 1 else ()

    def rank(self, score: float, count: int, ties: Ties) -> bool:
        """Keep the newest epoch if it is one of the `count` best; tell whether it is."""
        newest, later = KeptEpoch(self.epoch, score), 1 if ties == "later" else -1
        ranked = sorted((*self.kept, newest), key=lambda each: (-each.score, -later * each.epoch))
        self.kept = tuple(ranked[:count])
        return newest in self.kept
