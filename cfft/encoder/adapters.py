"""Adapters as torch's parametrizations: the plain weights that they compute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

_MARK = "parametrizations"


def is_of_adapter(key: str) -> bool:
    """Tell whether a key of a state dict belongs to a parametrized weight."""
    return _MARK in key.split(".")


def plain(module: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of `module` with computed weights in the place of adapters.

    Nothing is copied but what adapters compute.
    """
    state = {key: value for key, value in module.state_dict().items() if not is_of_adapter(key)}
    with torch.no_grad():
        return {**state, **{key: value.detach() for key, value in _computed(module)}}


def in_graph(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters of `module` with computed weights in the place of adapters."""
    own = {key: value for key, value in module.named_parameters() if not is_of_adapter(key)}
    return {**own, **dict(_computed(module))}


def own_tensor(module: nn.Module, name: str) -> Tensor:
    """Return the tensor of `module` called `name`, or the one that its adapter rests on."""
    if parametrize.is_parametrized(module, name):
        return cast(Tensor, module.parametrizations[name].original)  # type: ignore[index, union-attr]
    return cast(Tensor, getattr(module, name))


def _computed(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for path, owner in module.named_modules():
        if parametrize.is_parametrized(owner):
            for name in owner.parametrizations:
                yield f"{path}.{name}" if path else name, getattr(owner, name)
