"""Adapters as torch's parametrizations: the plain weights that they compute."""

from __future__ import annotations

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
        for path, owner in module.named_modules():
            if parametrize.is_parametrized(owner):
                for name in owner.parametrizations:
                    state[f"{path}.{name}" if path else name] = getattr(owner, name).detach()
    return state


def named_weights(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters of `module` under a plain model's names, in the graph.

    In the place of adapters stand the weights that they compute.
    """
    found: dict[str, Tensor] = {
        key: value for key, value in module.named_parameters() if not is_of_adapter(key)
    }
    for path, owner in module.named_modules():
        if parametrize.is_parametrized(owner):
            for name in owner.parametrizations:
                found[f"{path}.{name}" if path else name] = getattr(owner, name)
    return found
