"""Backward passes of parts of an objective, and what stays of the passes that they have freed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from cfft.errors import PluginError
from cfft.records import Encoded, LossTerm, StepOutputs
from cfft.step.interfaces import ORIGINAL

Propagate = Callable[[Tensor], object]
"""Runs the backward pass of a part of the objective, [], scaled as the caller likes."""


class _Remaining(torch.autograd.Function):
    """Give the objective's value and the gradient of what is left of it to propagate.

    Every parameter is an input without a gradient, so that processes that wait for each one's turn
    find it in the last backward pass, whatever passes it took part in.
    """

    @staticmethod
    def forward(ctx: Any, total: Tensor, remaining: Tensor, *parameters: Tensor) -> Tensor:
        ctx.parameters = len(parameters)
        return total.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return (None, gradients[0], *(None,) * ctx.parameters)


def remaining_of(total: Tensor, remaining: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Return `total`, [], with the gradient of `remaining`, []; `parameters` take part."""
    found: Tensor = _Remaining.apply(total, remaining, *parameters)
    return found


def propagate_part(value: Tensor, propagate: Propagate) -> None:
    """Propagate a part of the objective, [], where it has a gradient, as after a step."""
    if value.requires_grad:
        with torch.autocast(value.device.type, enabled=False):
            propagate(value)


def closed(outputs: StepOutputs, labels: Iterable[str]) -> Encoded:
    """Return the outputs of a clean pass whose graph is gone; they let no gradient through."""
    term = ", ".join(labels)

    def refuse(_: Tensor) -> None:
        raise PluginError(_undeclared(term, ORIGINAL))

    def without_graph(tensor: Tensor) -> Tensor:
        values = tensor.detach()
        if tensor.requires_grad:
            values.requires_grad_().register_hook(refuse)
        return values

    first = outputs.student_original
    return Encoded(without_graph(first.features), without_graph(first.logits))


def check_passes(term: LossTerm, own: frozenset[str], outputs: StepOutputs) -> None:
    """Raise PluginError where a gradient flows into a pass that a term has not named."""
    others = {ORIGINAL: outputs.student_original}
    others |= {label: each.student for label, each in outputs.views.items() if each.student}
    for label, encoded in others.items():
        if label in own or (label != ORIGINAL and encoded is outputs.student_original):
            continue
        inputs = [each for each in (encoded.features, encoded.logits) if each.requires_grad]
        if not inputs or not term.value.requires_grad:
            continue
        flows = torch.autograd.grad(term.value, inputs, retain_graph=True, allow_unused=True)
        if any(each is not None for each in flows):
            raise PluginError(_undeclared(term.name, label))


def _undeclared(term: str, view: str) -> str:
    if view == ORIGINAL:
        return (
            f"term '{term}' sends a gradient into the student's outputs on the original images: "
            "it has to name student.original in needs"
        )
    return (
        f"term '{term}' sends a gradient into the student's outputs on the view '{view}': it has "
        "to name the view in further_views"
    )
