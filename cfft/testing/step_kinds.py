"""Rules of the kinds that act within a step: mask, fill, cam, task and loss."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import torch
from torch import Tensor

from cfft.encoder.encoder import Classifier
from cfft.encoder.relevance import relevance_scores
from cfft.errors import CfftError, described
from cfft.plugin.params import NAME
from cfft.records import (
    Batch,
    Counterfactual,
    Encoded,
    MaskSelection,
    StepOutputs,
    TeacherOutputs,
    ViewOutputs,
)
from cfft.step.interfaces import (
    ORIGINAL,
    TEXT_NEEDS,
    AuxLoss,
    Cam,
    MaskSelector,
    Refiller,
    StudentView,
    Task,
    Term,
)
from cfft.step.needs import needs_of, student_passes, views_of
from cfft.step.passes import CleanPass, CleanView, FrozenTeacher
from cfft.step.text import PromptFeatures
from cfft.testing.guard import leaves_alone, must
from cfft.testing.models import tiny_batch, tiny_classifier, tiny_text_side

_GRIDS = ((2, 3), (3, 2), (14, 14))
"""Patch grids that masks, fills and maps are tried on: images of 32 x 48, 48 x 32, 224 x 224."""

_PATCH = 16
_NOT_CONSTANT = "{} is not constant: an image alone and drawn for anew has another outcome"


@attrs.frozen
class _Relevance(Cam):
    def explain(self, batch: Batch, view: StudentView) -> Tensor:
        return relevance_scores(view.capture, view.clean.logits, batch.labels)


@contextmanager
def failures_of(who: str, batch: Batch, grid: tuple[int, int]) -> Iterator[None]:
    """Raise AssertionError for what a strategy raises: its name, the images and the patch grid."""
    try:
        yield
    except Exception as error:
        size = list(batch.images.shape)
        on = f"images {size}, a grid of {grid[0]} x {grid[1]} patches"
        raise AssertionError(f"{who} fails on {on}: {described(error)}") from error


def check_mask(who: str, mask: MaskSelector) -> None:
    """Select twice on each grid and compare."""
    for grid in _GRIDS:
        student, batch = tiny_classifier(grid, patch=_PATCH), tiny_batch(grid=grid, patch=_PATCH)
        with leaves_alone(who, _tensors(batch), student), failures_of(who, batch, grid):
            first = mask.select(batch, _view(student, batch, grid, mask))
            again = mask.select(batch, _view(student, batch, grid, mask))
        _check_selection(who, first, (len(batch.images), *grid))
        declared = MaskSelector.of(mask).hidden_per_image(grid[0] * grid[1])
        _check_count(who, "hidden_per_image()", first.hidden, declared)
        must(torch.equal(first.hidden, again.hidden), f"{who} must draw from view.rng alone")
        if MaskSelector.of(mask).constant:
            part = _last(batch)
            alone = mask.select(part, _view(student, part, grid, mask, seed=1)).hidden
            must(torch.equal(alone, first.hidden[-1:]), _NOT_CONSTANT.format(who))


def _check_selection(who: str, selection: MaskSelection, shape: tuple[int, ...]) -> None:
    must(isinstance(selection, MaskSelection), f"{who} must return a MaskSelection")
    _check_tensor(who, "hidden", selection.hidden, shape)
    if selection.scores is not None:
        _check_tensor(who, "scores", selection.scores, shape)
        in_range = bool(((selection.scores >= 0) & (selection.scores <= 1)).all())
        must(in_range, f"{who}: scores must be in 0..1")
    _check_count(who, "hidden_per_image", selection.hidden, selection.hidden_per_image)


def check_fill(who: str, fill: Refiller) -> None:
    """Refill images of which all, some and no patches are hidden, twice, and compare."""
    smallest = Refiller.of(fill).smallest_batch
    for grid in _GRIDS:
        batch = tiny_batch(max(3, smallest), grid, patch=_PATCH)
        for selection in (_uneven(len(batch.images), grid), _even(len(batch.images), grid)):
            _check_refill(who, fill, batch, selection)
    if smallest > 1:
        _check_refusal(who, fill, smallest - 1)
    else:
        _check_refill(who, fill, tiny_batch(1, patch=_PATCH), _even(1, (2, 3)))


def _check_refill(who: str, fill: Refiller, batch: Batch, selection: MaskSelection) -> None:
    watched = _tensors(batch) | {"selection.hidden": selection.hidden}
    grid = (selection.hidden.shape[1], selection.hidden.shape[2])
    with leaves_alone(who, watched), failures_of(who, batch, grid):
        first = fill.refill(batch, selection, _rng())
        again = fill.refill(batch, selection, _rng())
    must(isinstance(first, Counterfactual), f"{who} must return a Counterfactual")
    _check_tensor(who, "images", first.images, tuple(batch.images.shape), batch.images.dtype)
    must(torch.equal(first.images, again.images), f"{who} must draw from rng alone")
    if Refiller.of(fill).constant:
        part = MaskSelection(selection.hidden[-1:], hidden_per_image=selection.hidden_per_image)
        alone = fill.refill(_last(batch), part, _rng(1)).images
        must(torch.allclose(alone, first.images[-1:], atol=1e-5), _NOT_CONSTANT.format(who))
    if first.dropped is not None:
        _check_tensor(who, "dropped", first.dropped, tuple(selection.hidden.shape))
        _check_count(who, "dropped_per_image", first.dropped, first.dropped_per_image)


def _check_refusal(who: str, fill: Refiller, size: int) -> None:
    try:
        fill.refill(tiny_batch(size, patch=_PATCH), _even(size, (2, 3)), _rng())
    except CfftError:
        return
    raise AssertionError(
        f"{who} must raise a CfftError for a batch of {size}: its smallest_batch is {size + 1}"
    )


def check_cam(who: str, cam: Cam) -> None:
    """Explain twice on each grid, compare, and use the graph once more."""
    for grid in _GRIDS:
        student, batch = tiny_classifier(grid, patch=_PATCH), tiny_batch(grid=grid, patch=_PATCH)
        view = _view(student, batch, grid, cam)
        with leaves_alone(who, _tensors(batch), student), failures_of(who, batch, grid):
            first = cam.explain(batch, view)
        _check_tensor(who, "scores", first, (len(batch.images), *grid))
        must(bool((first >= 0).all()), f"{who}: scores must not be negative")
        again = cam.explain(batch, _view(student, batch, grid, cam))
        must(torch.equal(first, again), f"{who} must give the same scores again")
        if Cam.of(cam).constant:
            part, other = _last(batch), tiny_classifier(grid, seed=2)
            alone = cam.explain(part, _view(other, part, grid, cam, seed=1))
            must(torch.allclose(alone, first[-1:], atol=1e-5), _NOT_CONSTANT.format(who))
        try:
            torch.autograd.grad(view.clean.logits.sum(), list(student.parameters()))
        except RuntimeError as error:
            message = f"{who} must leave the graph to the backward pass: {error}"
            raise AssertionError(message) from error


def check_task(who: str, task: Task) -> None:
    """Measure outputs that hold only what the task says it needs."""
    term = Task.of(task)
    must(term.weight >= 0, f"{who}: weight must not be negative, got {term.weight}")
    must(bool(re.fullmatch(NAME, term.term)), f"{who}: term '{term.term}' is no name for metrics")
    trains = "student.text" in needs_of(who, term)
    must(trains or not term.head_from_text, f"{who}: head_from_text needs student.text")
    _check_term(who, term, learns=term.weight > 0)


def check_loss(who: str, loss: AuxLoss) -> None:
    """Measure outputs that hold only what the loss says it needs."""
    must(loss.weight >= 0, f"{who}: weight must not be negative, got {loss.weight}")
    reached = _check_term(who, AuxLoss.of(loss), learns=True)
    named = ORIGINAL in student_passes({who: loss}, task="")[who]
    must(
        named or reached.isdisjoint({"original features", "original logits"}),
        f"{who} must name student.original in needs: a gradient flows into the original images",
    )


def _check_term(who: str, term: Term, *, learns: bool) -> set[str]:
    """Return the names of the leaves that gradients reach."""
    outputs, leaves = _outputs(term, needs_of(who.split(" ", 1)[1].strip("'"), term))
    with leaves_alone(who, {f"outputs ({name})": tensor for name, tensor in leaves.items()}):
        value = term.measure(_drawing_again(outputs))
    _check_tensor(who, "the term", value, ())
    again = term.measure(_drawing_again(outputs))
    must(torch.equal(value, again), f"{who} must give the same value again")
    if not learns:
        return set()
    must(value.requires_grad, f"{who}: no gradient flows into the student")
    found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    finite = all(bool(g.isfinite().all()) for g in found if g is not None)
    must(finite, f"{who}: gradients must be finite")
    return {name for name, g in zip(leaves, found, strict=True) if g is not None}


def _outputs(term: Term, needs: frozenset[str]) -> tuple[StepOutputs, dict[str, Tensor]]:
    batch = tiny_batch()
    original, second = _encoded(0, trained=True), _encoded(1, trained=True)
    model = tiny_classifier()
    view, labels = term.view, views_of(term) - {ORIGINAL}
    seen = not needs.isdisjoint({"student.view", "teacher.view"})
    made = ViewOutputs(
        _even(len(batch.images), (2, 3)),
        Counterfactual(batch.images),
        second if "student.view" in needs else None,
    )
    sees_original = "teacher.original" in needs or ("teacher.view" in needs and view == ORIGINAL)
    teacher = TeacherOutputs(
        _encoded(2) if sees_original else None,
        {label: _encoded(3) for label in labels} if "teacher.view" in needs else {},
        torch.tensor(2.0) if "teacher.feature_variance" in needs else None,
        dict(tiny_classifier(seed=1).named_parameters()) if "teacher.weights" in needs else None,
    )
    text = tiny_text_side(needs)
    outputs = StepOutputs(
        batch,
        original,
        dict.fromkeys(labels, made) if seen else {},
        {term.teacher or "teacher": teacher},
        dict(model.named_parameters()) if "student.weights" in needs else None,
        None if needs.isdisjoint(TEXT_NEEDS) else text.at(_rng()),
        torch.tensor([0.5, 2.0, 1.0]) if "class.weights" in needs else None,
    )
    leaves = {
        "original features": original.features,
        "original logits": original.logits,
        "counterfactual features": second.features,
        "counterfactual logits": second.logits,
    }
    leaves |= {f"weight {k}": v for k, v in (outputs.weights or {}).items()}
    if "student.text" in needs:
        leaves |= {f"text {name}": value for name, value in text.tower.named_parameters()}
    return outputs, leaves


def _drawing_again(outputs: StepOutputs) -> StepOutputs:
    if not isinstance(outputs.text, PromptFeatures):
        return outputs
    return attrs.evolve(outputs, text=attrs.evolve(outputs.text, rng=_rng()))


def _encoded(seed: int, trained: bool = False) -> Encoded:
    rng = _rng(seed)
    features, logits = torch.randn(3, 8, generator=rng), torch.randn(3, 3, generator=rng)
    return Encoded(features.requires_grad_(trained), logits.requires_grad_(trained))


def _last(batch: Batch) -> Batch:
    return Batch(batch.images[-1:], batch.labels[-1:])


def _view(
    student: Classifier,
    batch: Batch,
    grid: tuple[int, int],
    strategy: MaskSelector | Cam,
    seed: int = 0,
) -> CleanView:
    followed = Cam.of(strategy).follows  # a mask has the same default
    none: frozenset[str] = frozenset()
    teacher = FrozenTeacher(tiny_classifier(grid, seed=1, patch=_PATCH), none, none)
    teachers = {} if followed is None else {followed: teacher}
    return CleanPass.of(student, batch, teachers).seen_by(_Relevance(), _rng(seed))


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _tensors(batch: Batch) -> dict[str, Tensor | None]:
    return {"batch.images": batch.images, "batch.labels": batch.labels}


def _even(size: int, grid: tuple[int, int]) -> MaskSelection:
    hidden = torch.zeros(size, *grid, dtype=torch.bool)
    hidden[:, 0, 1] = hidden[:, 1, 0] = True
    return MaskSelection(hidden, hidden_per_image=2)


def _uneven(size: int, grid: tuple[int, int]) -> MaskSelection:
    hidden = _even(size, grid).hidden
    hidden[0], hidden[-1] = False, True
    return MaskSelection(hidden)


def _check_tensor(
    who: str, what: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype | None = None
) -> None:
    must(isinstance(tensor, Tensor), f"{who}: {what} must be a tensor, got {type(tensor).__name__}")
    seen = tuple(tensor.shape)
    must(seen == shape, f"{who}: {what} must have the shape {list(shape)}, got {list(seen)}")
    must(tensor.device.type == "cpu", f"{who}: {what} must stay on the batch's device")
    must(dtype in (None, tensor.dtype), f"{who}: {what} must keep {dtype}, got {tensor.dtype}")
    must(bool(tensor.isfinite().all()), f"{who}: {what} must be finite")


def _check_count(who: str, what: str, grid: Tensor, count: int | None) -> None:
    counted = grid.sum(dim=(1, 2)).tolist()
    right = count is None or all(number == count for number in counted)
    must(right, f"{who}: {what} is {count}, but the images have {counted}")
