"""One training step: clean pass, masks, fills, second passes, terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import attrs
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError, PluginError, unknown_name
from cfft.records import (
    Batch,
    Encoded,
    LossTerm,
    MaskSelection,
    StepOutputs,
    StepResult,
    TeacherOutputs,
    ViewOutputs,
)
from cfft.step.constants import Constants, KeptOutputs, TeacherView
from cfft.step.interfaces import (
    COUNTERFACTUAL,
    ORIGINAL,
    TEXT_NEEDS,
    AuxLoss,
    Cam,
    MaskSelector,
    Refiller,
    Task,
    Term,
)
from cfft.step.needs import (
    all_needs,
    check_losses,
    connected,
    followed_by_map,
    followed_views,
    needs_of,
    student_passes,
    student_views,
    task_and_losses,
    teacher_needs,
    teacher_views,
)
from cfft.step.passes import CleanPass, FrozenTeacher, is_unchanged, second_pass, without_gradients
from cfft.step.propagation import Propagate, check_passes, closed, propagate_part, remaining_of
from cfft.step.results import measured, refilled, selected
from cfft.step.text import PromptFeatures, TextSide

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
    view runs that no term looks at. `text`: the text towers, where a term needs them. `kept`: what
    is constant over training, found by the batch's ids; empty until it is set. Generators are on
    the CPU and made again for each step. `class_weights`: [K], to be set where a term needs them.
    `join`: joins rows of all processes, see StepOutputs.joined; to be set where several share a
    step. Raises ConfigError for a term without its teacher, view or text.
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
        self.labels, self.kept = tuple(teachers), KeptOutputs()
        self.views = _needed(views, followed_views(self.terms))
        self.text = _checked_text(text, self.needs)
        _check_head(self.task)
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", None, persistent=False)
        self.join: Callable[[Tensor], Tensor] | None = None
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
        self,
        images: Tensor,
        labels: Tensor,
        draw: Draw,
        progress: float | None = None,
        propagate: Propagate | None = None,
        ids: Sequence[int] | None = None,
        host_labels: tuple[int, ...] | None = None,
    ) -> dict[str, Tensor]:
        """Return "total" and every un-weighted term by name: scalar tensors.

        `progress` and `ids`: as in Batch, for strategies that change over training, and to find
        what is `kept`. All are in the graph, unless `propagate` is given: see `propagated`.
        `host_labels`: as in Batch; without them terms that make prompts of labels wait for the
        device.
        """
        batch = Batch(images, labels, progress, ids, host_labels)
        if propagate is None:
            result = self.measure(batch, draw)
        else:
            result = self.propagated(batch, draw, propagate)
        return {"total": result.total, **{term.name: term.value for term in result.terms}}

    def measure(self, batch: Batch, draw: Draw) -> StepResult:
        """Return the objective of `batch` and its terms, all in one graph."""
        with self._adapted():
            return self.objective(self.outputs(batch, draw))

    def propagated(self, batch: Batch, draw: Draw, propagate: Propagate) -> StepResult:
        """Measure as `measure` does, and free graphs early: one group of terms after another.

        Terms that share a pass of the student, by their `needs`, are a group. `propagate` gets the
        weighted sum of each group but the last, in the graph, and has to run its backward pass:
        then the next group's passes are made. `total` has the value of the whole objective, and
        the gradient of the last group alone, for the caller to propagate in the same way; terms
        are detached. So gradients agree with those of `measure` but for the order of sums, and
        activations of one group are held at a time. Several processes synchronise once: in the
        caller's backward pass every trained parameter takes part. Raises PluginError where a
        gradient flows into a pass that a term has not named.
        """
        with self._adapted():
            clean, views = self._views(batch, draw)
            first, *others = self._groups(batch, views)
            seen = self._seen(first, self._unseen(batch, draw, clean, views))
            values = self._measured(first, seen)
        del clean
        found = {label: value.detach() for label, value in values.items()}
        for group in others:
            propagate_part(self._weighted(values), propagate)
            values = {}
            seen = attrs.evolve(seen, views=views, student_original=closed(seen, group))
            with self._adapted():
                seen = self._seen(group, seen)
                values = self._measured(group, seen)
            found |= {label: value.detach() for label, value in values.items()}
        terms = tuple(LossTerm(name, found[name], w) for name, w in self.weights.items())
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        total = remaining_of(self._weighted(found), self._weighted(values), trained)
        return StepResult(total, terms)

    def rehearse(self, batch: Batch, draw: Draw) -> StepResult:
        """Measure before training, and check the values that strategies return too.

        That waits for the device. Raises StrategyResultError for maps that are not finite and for
        strategies that write into the batch, however they do it; PluginError for terms that send
        gradients into a pass that they have not named.
        """
        outputs = self.outputs(batch, draw, values=True)
        result = self.objective(outputs, values=True)
        passes = self._passes(batch, outputs.views)
        for term in result.terms:
            check_passes(term, passes[term.name], outputs)
        return result

    def objective(self, outputs: StepOutputs, *, values: bool = False) -> StepResult:
        """Weight and sum the terms: the task, then every loss; `values` as in `outputs`."""
        found = self._measured(self.terms, outputs, values=values)
        terms = tuple(LossTerm(name, found[name], w) for name, w in self.weights.items())
        return StepResult(self._weighted(found), terms)

    def outputs(self, batch: Batch, draw: Draw, *, values: bool = False) -> StepOutputs:
        """Return everything that the terms look at; one clean pass serves head and maps.

        `values`: check those that masks and maps return, which waits for the device.
        """
        clean, views = self._views(batch, draw, values=values)
        return self._seen(self.terms, self._unseen(batch, draw, clean, views))

    def selections(self, batch: Batch, draw: Draw) -> dict[str, MaskSelection]:
        """Return what each view hides, by label; no fill runs and no second pass is made."""
        if not self.views:
            return {}
        clean = self._clean(batch)
        return {label: self._selection(clean, label, draw) for label in self.views}

    def constant_rows(self, batch: Batch, constants: Constants, draw: Draw) -> list[Tensor]:
        """Return what is constant of the images of `batch`: a row for each, item by item.

        Maps [B, gh, gw], rounded to float16 as they are kept, then features [B, D], on views that
        those rounded maps make. No student's pass is made.
        """
        teachers = {label: self.teacher(label) for label in self.labels}
        clean = CleanPass.of(self.student, batch, teachers)
        maps = {cam: clean.map(cam, draw("mask")).half() for cam in constants.maps}
        known = attrs.evolve(batch, ids=range(len(batch.images)))
        rounded = CleanPass.of(self.student, known, teachers, kept=KeptOutputs(maps))
        features = [self._constant_features(seen, rounded, draw) for seen in constants.features]
        return [*maps.values(), *features]

    def _constant_features(self, seen: TeacherView, clean: CleanPass, draw: Draw) -> Tensor:
        teacher, batch = self.teacher(seen.teacher), clean.batch
        if seen.view == ORIGINAL:
            features: Tensor = teacher(batch.images).features
            return features
        selection = self._selection(clean, seen.view, draw)
        rng = draw(_purpose("fill", seen.view))
        made = refilled(self.views[seen.view].fill, batch, selection, rng)
        return second_pass(teacher, batch, ViewOutputs(selection, made), None).features

    def _clean(self, batch: Batch, *, values: bool = False) -> CleanPass:
        teachers = {label: self.teacher(label) for label in self.labels}
        return CleanPass.of(self.student, batch, teachers, values=values, kept=self.kept)

    def _selection(self, clean: CleanPass, label: str, draw: Draw) -> MaskSelection:
        view = self.views[label]
        seen = clean.seen_by(view.cam, draw(_purpose("mask", label)))
        return selected(view.mask, clean.batch, seen, values=clean.values)

    def _unseen(
        self, batch: Batch, draw: Draw, clean: Encoded, views: Mapping[str, ViewOutputs]
    ) -> StepOutputs:
        """Return what is known before the other passes of student and teachers."""
        text, balanced = self._text(draw, batch), self.class_weights
        outputs = StepOutputs(batch, clean, views, text=text, class_weights=balanced)
        return outputs if self.join is None else attrs.evolve(outputs, join=self.join)

    def _views(
        self, batch: Batch, draw: Draw, *, values: bool = False
    ) -> tuple[Encoded, dict[str, ViewOutputs]]:
        """Make the clean pass and every view's images; no model has seen those yet.

        A pass that maps have asked for serves the terms as well, unless blocks are checkpointed:
        then maps have a pass of their own, which keeps nothing for gradients of parameters.
        """
        clean = self._clean(batch, values=values)
        made: dict[str, ViewOutputs] = {}
        checkpointed = self.student.encoder.checkpointed
        with without_gradients(self.student) if checkpointed else nullcontext():
            for label, view in self.views.items():
                selection = self._selection(clean, label, draw)
                rng = draw(_purpose("fill", label))
                counterfactual = refilled(view.fill, batch, selection, rng, values=values)
                made[label] = ViewOutputs(selection, counterfactual)
        serves = clean.is_made and not checkpointed
        first = clean.clean if serves else None
        del clean  # and with it what maps kept, a teacher's pass too
        return self.student(batch.images) if first is None else first, made

    def _text(self, draw: Draw, batch: Batch) -> PromptFeatures | None:
        return None if self.text is None else self.text.at(draw("text"), batch)

    def _passes(self, batch: Batch, views: Mapping[str, ViewOutputs]) -> dict[str, frozenset[str]]:
        """Return the passes of each term; a view of unchanged images is that of the originals."""
        same = {label for label, view in views.items() if is_unchanged(batch, view)}
        return {
            label: frozenset(ORIGINAL if each in same else each for each in passes)
            for label, passes in student_passes(self.terms, self.task.term).items()
        }

    def _groups(self, batch: Batch, views: Mapping[str, ViewOutputs]) -> list[tuple[str, ...]]:
        return connected(self._passes(batch, views))

    def _seen(self, labels: Iterable[str], before: StepOutputs) -> StepOutputs:
        """Add to `before`, which has the clean pass and the views' images, what terms look at."""
        terms = {label: self.terms[label] for label in labels}
        batch, views, first = before.batch, before.views, before.student_original
        second, needs = student_views(terms), all_needs(terms)
        seen = {
            label: attrs.evolve(view, student=second_pass(self.student, batch, view, first))
            if label in second
            else view
            for label, view in views.items()
        }
        taught = {
            label: self._taught(label, terms, batch, views, before.teachers.get(label))
            for label in self.labels
        }
        weights = self.student.named_weights() if "student.weights" in needs else None
        return attrs.evolve(before, views=seen, teachers=taught, weights=weights)

    def _taught(
        self,
        label: str,
        terms: Mapping[str, Term],
        batch: Batch,
        views: Mapping[str, ViewOutputs],
        before: TeacherOutputs | None,
    ) -> TeacherOutputs:
        looked_at = teacher_views(label, terms)
        seen = {view: each for view, each in views.items() if view in looked_at}
        original = None if before is None else before.original

        def kept(view: str) -> Tensor | None:
            return self.kept.of_teacher(TeacherView(label, view), batch.ids, batch.images.device)

        return self.teacher(label).outputs(batch, seen, original, kept)

    def _measured(
        self, labels: Iterable[str], outputs: StepOutputs, *, values: bool = False
    ) -> dict[str, Tensor]:
        return {k: measured(self.terms[k], outputs, values=values) for k in labels}

    def _weighted(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of those terms that `values` has: []."""
        weighted = [w * values[name] for name, w in self.weights.items() if name in values]
        return torch.stack(weighted).sum()

    def _adapted(self) -> AbstractContextManager[None]:
        """Let adapters compute their weights once for all passes of one backward pass.

        Checkpointed blocks compute them again with the rest.
        """
        return nullcontext() if self.student.encoder.checkpointed else parametrize.cached()


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
