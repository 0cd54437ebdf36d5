"""A training step never waits for its device.

Here the device is torch's `meta`, which has no values: whatever reads one, or needs one for a
shape, fails there as it waits on an accelerator. Copies to it are watched as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from cfft.plugin.registry import Registry
from cfft.runtime.randomness import generator
from cfft.step.engine import TrainingStep, View
from cfft.step.interfaces import AuxLoss, Task
from cfft.step.needs import needs_of
from cfft.testing import tiny_batch, tiny_classifier, tiny_text_side

REGISTRY = Registry.installed()
META = torch.device("meta")
MASKS_AND_FILLS = [*product(REGISTRY.names("mask"), REGISTRY.names("fill"))]
aten = torch.ops.aten
_INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
_ITEMS = (Tensor.__getitem__, Tensor.__setitem__)
_MAKERS = (torch.tensor, torch.as_tensor, Tensor.new_tensor)


class WaitingError(Exception):
    """Say that an operation waits for the device."""


class Watching(TorchDispatchMode):
    """Refuse operations that wait for a device and that `meta` lets pass."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func is aten._to_copy.default and _blocks(args[0], given):
            raise WaitingError("a copy to the device without non_blocking=True")
        if func in _INDEXING and args[0].device == META and _on_host(args[1]):
            raise WaitingError("indices on the host")
        if func in (aten.index_put.default, aten.index_put_.default) and _counts(args[1], args[2]):
            raise WaitingError("values put where a mask is True")
        return func(*args, **given)


class WatchingMade(TorchFunctionMode):
    """Refuse tensors that are made on the device from values of the host, which blocks too."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        like = args[0].device if func is Tensor.new_tensor else None
        if func in _MAKERS and torch.device(given.get("device") or like or "cpu") == META:
            raise WaitingError(f"{func.__name__} with values of the host")
        if func in _ITEMS and args[0].device == META and _has_list(args[1]):
            raise WaitingError(f"{func.__name__} with a list of the host")
        return func(*args, **given)


def _has_list(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, list) for part in parts)


def _blocks(source: Tensor, given: Mapping[str, Any]) -> bool:
    moves = source.device.type == "cpu" and given.get("device") == META
    return moves and not given.get("non_blocking")


def _on_host(indices: list[Tensor | None]) -> bool:
    return any(index is not None and index.device != META for index in indices)


def _counts(indices: list[Tensor | None], values: Tensor) -> bool:
    return values.numel() != 1 and any(i is not None and i.dtype == torch.bool for i in indices)


@pytest.fixture(autouse=True)
def autocast_that_knows_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())


def build(kind: str, name: str, values: Mapping[str, Any] | None = None) -> Any:
    context = {"mask": "object", "fill": "single", "backbone": "open_clip"}
    return REGISTRY.build(kind, name, values or {}, context)


def step_with(
    *, mask: str = "object", fill: str = "single", cam: str = "relevance", task: str, loss: str
) -> TrainingStep:
    """Put a step together from tiny models."""
    objective, losses = build("task", task), {loss: build("loss", loss)}
    terms = [Task.of(objective), *map(AuxLoss.of, losses.values())]
    needs = frozenset().union(*(needs_of("term", term) for term in terms))
    teachers = {"clip": tiny_classifier(seed=1)}
    teachers |= {term.teacher: tiny_classifier(seed=2) for term in terms if term.teacher}
    view = View(build("mask", mask), build("fill", fill), build("cam", cam))
    text = tiny_text_side(needs)
    step = TrainingStep(
        tiny_classifier(), objective, losses, teachers, {"counterfactual": view}, text
    )
    for label in step.labels:
        step.teacher(label).feature_variance = torch.tensor(2.0)
    step.class_weights = torch.tensor([0.5, 2.0, 1.0])
    return step


def take_watched(step: TrainingStep) -> None:
    take(step, META, Watching(), WatchingMade())


@contextmanager
def refusing_to_wait() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def _draw(purpose: str) -> torch.Generator:
    return generator(0, purpose)


def take(
    step: TrainingStep, device: torch.device, *watching: AbstractContextManager[object]
) -> None:
    """Take a step as training does."""
    batch = tiny_batch(4)
    step.to(device)
    images, labels = batch.images.to(device), batch.labels.to(device)
    with ExitStack() as stack:
        for each in watching:
            stack.enter_context(each)
        values = step(
            *(images, labels, _draw, 0.5, Tensor.backward),
            host_labels=tuple(batch.labels.tolist()),
        )
        values["total"].backward()


@pytest.mark.parametrize(("mask", "fill"), MASKS_AND_FILLS)
def test_no_mask_and_no_fill_wait_for_the_device(mask: str, fill: str) -> None:
    take_watched(step_with(mask=mask, fill=fill, task="cross-entropy", loss="feature-mse"))


@pytest.mark.parametrize("cam", REGISTRY.names("cam"))
def test_no_map_waits_for_the_device(cam: str) -> None:
    take_watched(step_with(cam=cam, task="cross-entropy", loss="feature-mse"))


@pytest.mark.parametrize("loss", REGISTRY.names("loss"))
def test_no_loss_waits_for_the_device(loss: str) -> None:
    take_watched(step_with(task="cross-entropy", loss=loss))


@pytest.mark.parametrize("task", REGISTRY.names("task"))
def test_no_task_waits_for_the_device(task: str) -> None:
    take_watched(step_with(task=task, loss="feature-mse"))


def test_what_waits_is_found() -> None:
    values = torch.rand(3, device=META)

    with Watching(), WatchingMade():
        with pytest.raises(WaitingError, match="non_blocking"):
            torch.rand(3).to(META)
        with pytest.raises(WaitingError, match="of the host"):
            torch.tensor([1.0], device=META)
        with pytest.raises(WaitingError, match="mask"):
            values[values > 0] = values
        with pytest.raises(WaitingError, match="indices"):
            values[torch.tensor([0, 2])]
        with pytest.raises(WaitingError, match="of the host"):
            values[[0, 2]]
        with pytest.raises(RuntimeError, match="meta"):
            values.sum().item()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("mask", "fill"), MASKS_AND_FILLS)
def test_no_mask_and_no_fill_wait_for_a_gpu(mask: str, fill: str) -> None:
    step = step_with(mask=mask, fill=fill, task="cross-entropy", loss="feature-mse")

    take(step, torch.device("cuda"))  # kernels are loaded
    take(step, torch.device("cuda"), refusing_to_wait())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("loss", REGISTRY.names("loss"))
def test_no_loss_waits_for_a_gpu(loss: str) -> None:
    step = step_with(task="cross-entropy", loss=loss)

    take(step, torch.device("cuda"))
    take(step, torch.device("cuda"), refusing_to_wait())
