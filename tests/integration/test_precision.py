"""Precision: what stays in float32 beside encoders in bfloat16, and what a resume keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch

from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.records import StepOutputs
from cfft.runtime.progress import Silent
from cfft.runtime.randomness import generator
from cfft.step.engine import TrainingStep, View
from cfft.step.interfaces import AuxLoss, Task
from cfft.step.needs import needs_of
from cfft.testing import tiny_batch, tiny_classifier, tiny_text_side
from cfft.training.run import run
from cfft.training.run_directory import RunDirectory

REGISTRY = Registry.installed()
CONTEXT = {"mask": "random", "fill": "single", "backbone": "open_clip"}


class StopError(Exception):
    """Stand for whatever ends a process without a warning."""


class Stopping(Silent):
    """End the run after its third step."""

    def stepped(self, step: int, metrics: Any) -> None:
        if step == 3:
            raise StopError


class Noting(Silent):
    """Remember warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warned(self, message: str) -> None:
        self.warnings.append(message)


def build(kind: str, name: str) -> Any:
    return REGISTRY.build(kind, name, {}, CONTEXT)


def step_with(task: Any, losses: dict[str, Any]) -> TrainingStep:
    terms = [Task.of(task), *map(AuxLoss.of, losses.values())]
    needs = frozenset().union(*(needs_of("term", term) for term in terms))
    teachers = {term.teacher: tiny_classifier(seed=1) for term in terms if term.teacher}
    view = View(build("mask", "random"), build("fill", "single"))
    text = tiny_text_side(needs)
    step = TrainingStep(tiny_classifier(), task, losses, teachers, {"counterfactual": view}, text)
    for label in step.labels:
        step.teacher(label).feature_variance = torch.tensor(2.0)
    step.class_weights = torch.tensor([0.5, 2.0, 1.0])
    return step


def drawing(step: TrainingStep, outputs: StepOutputs) -> StepOutputs:
    """Let terms draw prompts from a generator that nothing was drawn from."""
    text = None if step.text is None else step.text.at(generator(0, "text"))
    return attrs.evolve(outputs, text=text)


def values_of(step: TrainingStep) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Measure the outputs of passes in bfloat16, within autocast and outside."""
    with torch.autocast("cpu", torch.bfloat16):
        outputs = step.outputs(tiny_batch(4), lambda purpose: generator(0, purpose))
        inside = step.objective(drawing(step, outputs))
    outside = step.objective(drawing(step, outputs))
    one, other = ({t.name: t.value for t in each.terms} for each in (inside, outside))
    return one, other


@pytest.mark.parametrize("name", REGISTRY.names("loss"))
def test_every_loss_is_computed_in_float32_from_what_encoders_give(name: str) -> None:
    inside, outside = values_of(step_with(build("task", "none"), {name: build("loss", name)}))

    assert inside[name].dtype == torch.float32
    torch.testing.assert_close(inside[name], outside[name], rtol=0, atol=0)


@pytest.mark.parametrize("name", REGISTRY.names("task"))
def test_every_task_is_computed_in_float32_from_what_encoders_give(name: str) -> None:
    task = build("task", name)

    inside, outside = values_of(step_with(task, {}))

    assert inside[task.term].dtype == torch.float32
    torch.testing.assert_close(inside, outside, rtol=0, atol=0)


def test_features_and_logits_leave_a_model_in_the_precision_of_its_head() -> None:
    model = tiny_classifier()

    with torch.autocast("cpu", torch.bfloat16):
        inner, encoded = model.encoder(tiny_batch().images), model(tiny_batch().images)

    assert inner.dtype == torch.bfloat16
    assert (encoded.features.dtype, encoded.logits.dtype) == (torch.float32, torch.float32)


def test_weights_and_the_optimiser_stay_in_float32(
    configure: Callable[..., RunConfig], registry: Registry, tmp_path: Path
) -> None:
    found = run(configure(epochs=1, precision="bf16"), registry, tmp_path)

    stored = checkpoint.load(tmp_path / "checkpoints" / "last")
    kept = [*stored.weights.values(), *(stored.optimizer or {}).values()]
    assert found.precision == "bf16"
    assert {tensor.dtype for tensor in kept} == {torch.float32}


@pytest.fixture
def begun(
    layer: Layer, configure: Callable[..., RunConfig], registry: Registry, tmp_path: Path
) -> Callable[[str], tuple[RunConfig, Path]]:
    """Return `begun(asked)`: a run whose checkpoint says that it was computed in bfloat16."""

    def stopped(asked: str) -> tuple[RunConfig, Path]:
        layer.choose("mask", ["random"])
        config, out = configure(precision=asked, log_every=1, checkpoint_every="1"), tmp_path
        with pytest.raises(StopError):
            run(config, registry, out, reporter=Stopping())
        last = out / "checkpoints" / "last"
        stored = checkpoint.load(last)
        stored.state["surroundings"]["machine"]["precision"] = "bf16"
        checkpoint.save(last, stored)
        return config, out

    return stopped


@pytest.mark.skipif(torch.cuda.is_available(), reason="there auto is what GPUs have")
def test_a_resumed_run_goes_on_in_the_precision_that_auto_meant(
    begun, registry: Registry, monkeypatch
) -> None:
    monkeypatch.setattr("cfft.runtime.devices.cpu_has_bf16", lambda: False)
    config, out = begun("auto")
    noting = Noting()

    found = run(config, registry, out, resume=True, reporter=noting)

    assert found.precision == "bf16"
    assert not [line for line in noting.warnings if "precision" in line]


def test_a_precision_that_was_named_is_kept_whatever_a_run_was_begun_in(
    begun, registry: Registry
) -> None:
    config, out = begun("fp32")
    noting = Noting()

    found = run(config, registry, out, resume=True, reporter=noting)

    assert found.precision == "fp32"
    assert any("resumed with precision fp32 instead of bf16" in line for line in noting.warnings)


def test_auto_means_anew_what_it_has_not_meant_before(
    begun, registry: Registry, layer: Layer
) -> None:
    _, out = begun("fp32")

    assert RunDirectory(out).automatic_precision() is None
    assert RunDirectory(out / "nowhere").automatic_precision() is None
