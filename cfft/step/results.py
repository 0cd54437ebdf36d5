"""Call strategies and check what they return: shapes and types, which costs no waiting.

Values are looked at only where a caller asks for it, before training.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from cfft.errors import StrategyResultError, returned
from cfft.plugin.shared_state import SharedState
from cfft.records import Batch, Counterfactual, Encoded, MaskSelection, StepOutputs
from cfft.step.interfaces import Cam, MaskSelector, Refiller, StudentView, Term


def selected(
    mask: MaskSelector, batch: Batch, view: StudentView, *, values: bool = False
) -> MaskSelection:
    """Return what `mask` selects; raises StrategyResultError for anything but its rules.

    `values`: check also that its scores are numbers and the batch is as before, which waits for the
    device.
    """
    with _left_alone(mask, batch, values):
        selection = returned(mask, "select", mask.select(batch, view), MaskSelection)
    _check_shape(mask, "hidden", selection.hidden, _grid(batch, view), batch)
    if values and selection.scores is not None:
        _check_numbers(mask, "scores", selection.scores, view)
    return selection


def refilled(
    fill: Refiller,
    batch: Batch,
    selection: MaskSelection,
    rng: torch.Generator,
    *,
    values: bool = False,
) -> Counterfactual:
    """Return what `fill` makes of a selection; the images themselves where none is hidden.

    `values`: check also that they are numbers and the batch is as before. Raises
    StrategyResultError for anything but its rules.
    """
    if selection.hidden_per_image == 0:
        return Counterfactual(batch.images)
    with _left_alone(fill, batch, values):
        made = returned(fill, "refill", fill.refill(batch, selection, rng), Counterfactual)
    _check_shape(fill, "images", made.images, tuple(batch.images.shape), batch)
    if not made.images.is_floating_point():
        raise StrategyResultError(fill, f"images must be floating point, got {made.images.dtype}")
    if torch.promote_types(made.images.dtype, batch.images.dtype) != batch.images.dtype:
        problem = f"images must be {batch.images.dtype} as the batch, got {made.images.dtype}"
        raise StrategyResultError(fill, problem)
    if values and not made.images.isfinite().all() and batch.images.isfinite().all():
        raise StrategyResultError(fill, f"images must be finite, got {_odd(made.images)}")
    if made.dropped is not None:
        _check_shape(fill, "dropped", made.dropped, tuple(selection.hidden.shape), batch)
    return made


def explained(cam: Cam, batch: Batch, view: StudentView, *, values: bool = False) -> Tensor:
    """Return the raw scores of `cam`: [B, gh, gw]; raises StrategyResultError as `selected`."""
    with _left_alone(cam, batch, values):
        scores = returned(cam, "explain", cam.explain(batch, view), Tensor)
    _check_shape(cam, "scores", scores, _grid(batch, view), batch)
    if values:
        _check_numbers(cam, "scores", scores, view)
    return scores


def measured(term: Term, outputs: StepOutputs, *, values: bool = False) -> Tensor:
    """Return the un-weighted term: a scalar; raises StrategyResultError for anything else.

    `values`: check also that it is a number where models gave numbers, and the batch is as before.
    """
    with _left_alone(term, outputs.batch, values):
        value = returned(term, "measure", term.measure(outputs), Tensor)
    if value.shape != ():
        problem = f"measure() must return a scalar tensor [], got {list(value.shape)}"
        raise StrategyResultError(term, problem)
    if not value.is_floating_point():
        raise StrategyResultError(term, f"measure() must be floating point, got {value.dtype}")
    if values and not value.isfinite() and all(map(_is_finite, _all_encoded(outputs))):
        raise StrategyResultError(term, f"measure() must be finite, got {_odd(value)}")
    return value


@contextmanager
def _left_alone(strategy: object, batch: Batch, values: bool) -> Iterator[None]:
    """Raise StrategyResultError where a strategy writes into the batch or changes the process.

    torch counts what it writes itself; by `values` is seen what others do, such as NumPy.
    """
    before, images = _versions(batch), batch.images.clone() if values else None
    shared = SharedState.now()
    try:
        yield
    finally:
        changed = shared.restored()
    if changed:
        raise StrategyResultError(strategy, f"it changes {', '.join(changed)}: leave it as it was")
    if _versions(batch) != before or (images is not None and not torch.equal(batch.images, images)):
        raise StrategyResultError(strategy, "it writes into the batch: return new tensors")


def _versions(batch: Batch) -> list[int]:
    tensors = (batch.images, batch.labels)
    return [each._version for each in tensors if not each.is_inference()]


def _grid(batch: Batch, view: StudentView) -> tuple[int, ...]:
    return (len(batch.images), *view.grid)


def _check_shape(
    strategy: object, what: str, tensor: Tensor, shape: tuple[int, ...], batch: Batch
) -> None:
    if tuple(tensor.shape) != shape:
        axes = "[B, 3, H, W]" if len(shape) == 4 else "[B, gh, gw]"
        problem = f"{what} must be {axes} = {list(shape)}, got {list(tensor.shape)}"
        raise StrategyResultError(strategy, problem)
    if tensor.device != batch.images.device:
        problem = f"{what} must be on {batch.images.device} as the batch, got {tensor.device}"
        raise StrategyResultError(strategy, problem)


def _check_numbers(strategy: object, what: str, tensor: Tensor, view: StudentView) -> None:
    """Raise StrategyResultError for NaN and infinity that the model does not give itself."""
    if tensor.isfinite().all() or not view.clean.logits.isfinite().all():
        return
    raise StrategyResultError(strategy, f"{what} must be finite, got {_odd(tensor)}")


def _all_encoded(outputs: StepOutputs) -> Iterator[Encoded]:
    """Return what models gave: the student, and every teacher, on all views."""
    seen = [view.student for view in outputs.views.values()]
    taught = [made for t in outputs.teachers.values() for made in (t.original, *t.views.values())]
    yield from (each for each in (outputs.student_original, *seen, *taught) if each is not None)


def _is_finite(encoded: Encoded) -> bool:
    return all(bool(each.isfinite().all()) for each in (encoded.features, encoded.logits))


def _odd(tensor: Tensor) -> str:
    return "NaN" if bool(tensor.isnan().any()) else "infinity"
