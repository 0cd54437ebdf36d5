"""Count what autograd holds for backward passes, by bytes and not by the clock."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn


class SavedActivations:
    """Count the bytes of tensors that autograd keeps while a block runs.

    `live`: bytes held now; `peak`: the most at one time. A storage that several operations keep
    counts once, with all its bytes; those of parameters do not count. Gradients
    and what operations need for a moment are no activations and do not count either.

        with SavedActivations() as saved:
            step(images, labels, draw)["total"].backward()
        saved.peak
    """

    def __init__(self) -> None:
        self.live = self.peak = 0
        self._users: dict[int, int] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, _tensor)

    def __enter__(self) -> Self:
        self._hooks.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hooks.__exit__(kind, error, trace)

    def _keep(self, tensor: Tensor) -> _Kept | Tensor:
        base = tensor if tensor._base is None else tensor._base
        # what an operation gives and keeps itself would hold on to the operation for ever
        return tensor if isinstance(base, nn.Parameter) else _Kept(tensor.detach(), self)

    def take(self, tensor: Tensor) -> None:
        """Count one more user of a tensor's storage."""
        address = _address(tensor)
        users = self._users.get(address, 0)
        self._users[address] = users + 1
        if not users:
            self.live += tensor.untyped_storage().nbytes()
            self.peak = max(self.peak, self.live)

    def release(self, tensor: Tensor) -> None:
        """Count one user less of a tensor's storage."""
        address = _address(tensor)
        self._users[address] -= 1
        if not self._users[address]:
            del self._users[address]
            self.live -= tensor.untyped_storage().nbytes()


class _Kept:
    """Stand in the graph for one saved tensor, as long as the graph keeps it."""

    __slots__ = ("_counter", "tensor")

    def __init__(self, tensor: Tensor, counter: SavedActivations) -> None:
        self.tensor, self._counter = tensor, counter
        counter.take(tensor)

    def __del__(self) -> None:
        self._counter.release(self.tensor)


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _tensor(kept: _Kept | Tensor) -> Tensor:
    return kept if isinstance(kept, Tensor) else kept.tensor
