"""Check that a strategy changes no input, model or global state."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def must(holds: bool, message: str) -> None:
    """Raise AssertionError with `message` unless `holds`."""
    if not holds:
        raise AssertionError(message)


@contextmanager
def leaves_alone(
    who: str, tensors: Mapping[str, Tensor | None], model: nn.Module | None = None
) -> Iterator[None]:
    """Raise AssertionError if the block changes inputs, a model or global state.

    `tensors` are inputs by name; of `model`, values, `.grad` and train/eval mode are watched;
    globally, the random generators of Python and torch and whether gradients are enabled.
    """
    watched = nn.Module() if model is None else model
    before = _snapshot(tensors, watched)
    yield
    after = _snapshot(tensors, watched)
    changed = [name for name in before if not _same(before[name], after[name])]
    must(not changed, f"{who} must leave alone: {', '.join(changed)}")


def _snapshot(tensors: Mapping[str, Tensor | None], model: nn.Module) -> dict[str, Any]:
    gradients = {f"{name}.grad": parameter.grad for name, parameter in model.named_parameters()}
    own = {**tensors, **model.state_dict(), **gradients}
    return {
        **{name: None if each is None else each.detach().clone() for name, each in own.items()},
        **{f"train/eval mode of '{name}'": m.training for name, m in model.named_modules()},
        "torch's global random generator": torch.get_rng_state(),
        "Python's global random generator": random.getstate(),
        "torch's gradient mode": torch.is_grad_enabled(),
    }


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return torch.equal(before, after)
    return before is after or bool(type(before) is type(after) and before == after)
