"""One training step: clean pass, masks, fills, second passes, terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import attrs
import torch
from torch import Tensor, nn

from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError, PluginError, unknown_name
from cfft.records import (
    Batch,
    LossTerm,
    MaskSelection,
    StepOutputs,
    StepResult,
    ViewOutputs,
)
from cfft.step.interfaces import (
    COUNTERFACTUAL,
    ORIGINAL,
    TEXT_NEEDS,
    AuxLoss,
    Cam,
    MaskSelector,
    Refiller,
    Task,
)
from cfft.step.needs import (
    all_needs,
    check_losses,
    followed_by_map,
    followed_views,
    needs_of,
    student_views,
    task_and_losses,
    teacher_needs,
    teacher_views,
)
from cfft.step.passes import CleanPass, FrozenTeacher, second_pass
from cfft.step.results import measured, refilled, selected
from cfft.step.text import TextSide

Draw = Callable[[str], torch.Generator]
"""Gives a CPU generator for a purpose, always the same one at the same step."""


@attrs.frozen(eq=False)
class View:
    """Hold the strategies that make one view of the images; `cam` None where nothing needs one."""

    mask: MaskSelector
    fill: Refiller
    cam: Cam | None = None


class TrainingStep(nn.Module):
    """Compute the objective of one batch: the task plus weighted auxiliary losses.

    `losses`, `teachers` and `views` are keyed by label; a term follows the teacher and the view
    that its parameters name. Only passes that some term needs are made: neither mask nor fill of a
    view runs that no term looks at. `text`: the text towers, where a term needs them. Generators
    are on the CPU and made again for each step. `class_weights`: [K], to be set where a term needs
    them. Raises ConfigError for a term without its teacher, view or text.
    """

    def __init__(
        self,
        student: Classifier,
        task: Task,
        losses: Mapping[str, AuxLoss],
        teachers: Mapping[str, Classifier],
        views: Mapping[str, View],
        text: TextSide | None = None,
    ) -> None:
        super().__init__()
        check_losses(losses, task, teachers)
        self.student, self.task, self.losses = student, Task.of(task), dict(losses)
        self.terms = task_and_losses(task, losses)
        self.needs = all_needs(self.terms)
        self.labels = tuple(teachers)
        self.views = _needed(views, followed_views(self.terms))
        self.text = _checked_text(text, self.needs)
        _check_head(self.task)
        self._second = student_views(self.terms)
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", None, persistent=False)
        self.teachers = nn.ModuleDict(
            {
                f"teacher {label}": FrozenTeacher(
                    model, teacher_needs(label, self.terms), teacher_views(label, self.terms)
                )
                for label, model in teachers.items()
            }
        )
        for view in self.views.values():
            _check_followed(view, self.labels)

    @property
    def weights(self) -> dict[str, float]:
        """Name every term of the objective with its weight."""
        return {label: AuxLoss.of(term).weight for label, term in self.terms.items()}

    def teacher(self, label: str) -> FrozenTeacher:
        """Return the teacher of that label, to set its `feature_variance` on."""
        return cast(FrozenTeacher, self.teachers[f"teacher {label}"])

    def forward(
        self, images: Tensor, labels: Tensor, draw: Draw, progress: float | None = None
    ) -> dict[str, Tensor]:
        """Return "total" and every un-weighted term by name: scalar tensors in the graph.

        `progress`: as in Batch, for strategies that change over training.
        """
        result = self.measure(Batch(images, labels, progress), draw)
        return {"total": result.total, **{term.name: term.value for term in result.terms}}

    def measure(self, batch: Batch, draw: Draw) -> StepResult:
        """Return the objective of `batch` and its terms."""
        return self.objective(self.outputs(batch, draw))

    def rehearse(self, batch: Batch, draw: Draw) -> StepResult:
        """Measure before training, and check the values that strategies return too.

        That waits for the device. Raises StrategyResultError for maps that are not finite and for
        strategies that write into the batch, however they do it.
        """
        return self.objective(self.outputs(batch, draw, values=True), values=True)

    def objective(self, outputs: StepOutputs, *, values: bool = False) -> StepResult:
        """Weight and sum the terms: the task, then every loss; `values` as in `outputs`."""
        found = {k: measured(term, outputs, values=values) for k, term in self.terms.items()}
        terms = tuple(LossTerm(name, found[name], w) for name, w in self.weights.items())
        return StepResult(torch.stack([t.weight * t.value for t in terms]).sum(), terms)

    def outputs(self, batch: Batch, draw: Draw, *, values: bool = False) -> StepOutputs:
        """Return everything that the terms look at; one clean pass serves head and maps.

        `values`: check those that masks and maps return, which waits for the device.
        """
        clean, views = self._views(batch, draw, values=values)
        taught = {label: self.teacher(label).outputs(batch, views) for label in self.labels}
        weights = self.student.named_weights() if "student.weights" in self.needs else None
        text = None if self.text is None else self.text.at(draw("text"))
        balanced = self.class_weights
        return StepOutputs(batch, clean.clean, views, taught, weights, text, balanced)

    def selections(self, batch: Batch, draw: Draw) -> dict[str, MaskSelection]:
        """Return what each view hides, by label; no fill runs and no second pass is made."""
        if not self.views:
            return {}
        clean = self._clean(batch)
        return {label: self._selection(clean, label, draw) for label in self.views}

    def _clean(self, batch: Batch, *, values: bool = False) -> CleanPass:
        teachers = {label: self.teacher(label) for label in self.labels}
        return CleanPass.of(self.student, batch, teachers, values=values)

    def _selection(self, clean: CleanPass, label: str, draw: Draw) -> MaskSelection:
        view = self.views[label]
        seen = clean.seen_by(view.cam, draw(_purpose("mask", label)))
        return selected(view.mask, clean.batch, seen, values=clean.values)

    def _views(
        self, batch: Batch, draw: Draw, *, values: bool
    ) -> tuple[CleanPass, dict[str, ViewOutputs]]:
        if not self.views:
            return CleanPass.without_maps(self.student, batch), {}
        clean = self._clean(batch, values=values)
        made: dict[str, ViewOutputs] = {}
        for label, view in self.views.items():
            selection = self._selection(clean, label, draw)
            rng = draw(_purpose("fill", label))
            counterfactual = refilled(view.fill, batch, selection, rng, values=values)
            made[label] = ViewOutputs(selection, counterfactual)
        outputs = clean.clean
        return clean.released(), {
            label: attrs.evolve(view, student=second_pass(self.student, batch, view, outputs))
            if label in self._second
            else view
            for label, view in made.items()
        }


def _purpose(kind: str, view: str) -> str:
    return kind if view == COUNTERFACTUAL else f"{kind} {view}"


def _needed(views: Mapping[str, View], followed: frozenset[str]) -> dict[str, View]:
    for label in sorted(followed - {ORIGINAL, *views}):
        if label == COUNTERFACTUAL:
            raise ConfigError("a loss looks at counterfactual images: choose a mask and a fill")
        raise ConfigError(unknown_name("view", label, {ORIGINAL, *views}, "chosen"))
    return {label: view for label, view in views.items() if label in followed}


def _check_followed(view: View, teachers: tuple[str, ...]) -> None:
    for what, strategy in (("mask", view.mask), ("cam", view.cam)):
        followed = None if strategy is None else followed_by_map(strategy)
        if followed is not None and followed not in teachers:
            raise ConfigError(f"{what}: {unknown_name('teacher', followed, teachers, 'chosen')}")


def _check_head(task: Task) -> None:
    if task.head_from_text and "student.text" not in needs_of(task.term, task):
        raise PluginError(
            f"task '{task.term}' makes the head from text, so it has to name student.text in needs"
        )


def _checked_text(text: TextSide | None, needs: frozenset[str]) -> TextSide | None:
    if needs.isdisjoint(TEXT_NEEDS):
        return None
    if text is None:
        raise ConfigError(
            "a task or loss compares images with prompts, which needs a model with a text tower"
        )
    return text
