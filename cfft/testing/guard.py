"""Find out what a strategy changed that was not its own."""

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
    before = _snapshot(tensors, model)
    yield
    after = _snapshot(tensors, model)
    changed = [name for name in before if not _same(before[name], after[name])]
    must(not changed, f"{who} must leave alone: {', '.join(changed)}")


def _snapshot(tensors: Mapping[str, Tensor | None], model: nn.Module | None) -> dict[str, Any]:
    own = {name: tensor.detach().clone() for name, tensor in tensors.items() if tensor is not None}
    return own | _of_model(model) | _global()


def _of_model(model: nn.Module | None) -> dict[str, Any]:
    if model is None:
        return {}
    gradients = {f"{n}.grad": _copy(p.grad) for n, p in model.named_parameters()}
    modes = {f"train/eval mode of '{n}'": m.training for n, m in model.named_modules()}
    values = {n: value.clone() for n, value in model.state_dict().items()}
    return values | gradients | modes


def _global() -> dict[str, Any]:
    return {
        "torch's global random generator": torch.get_rng_state(),
        "Python's global random generator": random.getstate(),
        "torch's gradient mode": torch.is_grad_enabled(),
    }


def _copy(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.clone()


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return torch.equal(before, after)
    return before is after or bool(type(before) is type(after) and before == after)
