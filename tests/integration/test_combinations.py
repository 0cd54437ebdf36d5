"""Every combination that the paper has, on a tiny model and with cfft's own plug-ins."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from cfft.plugin.registry import Registry
from cfft.runtime.randomness import generator
from cfft.step.engine import TrainingStep, View
from cfft.testing import tiny_batch, tiny_classifier

COMBINATIONS = [
    *product(["random", "object", "context"], ["none", "single", "multi"]),
    ("none", "single"),
]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.installed()


def paper_step(registry: Registry, mask: str, fill: str, execution: str = "auto") -> TrainingStep:
    """Make Eq. 3's step: features on counterfactual, logits on original images."""
    context = {"mask": mask, "fill": fill, "backbone": "open_clip"}

    def build(kind: str, name: str) -> Any:
        return registry.build(kind, name, {}, context)

    models = [tiny_classifier(seed=seed) for seed in (0, 1, 2)]
    for model in models:
        model.encoder.execution = execution
    view = View(build("mask", mask), build("fill", fill), build("cam", "relevance"))
    return TrainingStep(
        models[0],
        build("task", "cross-entropy"),
        {"feature-mse": build("loss", "feature-mse"), "wise-kd": build("loss", "wise-kd")},
        {"clip": models[1], "wise": models[2]},
        {"counterfactual": view},
    )


def run(step: TrainingStep, size: int = 4) -> dict[str, Tensor]:
    batch = tiny_batch(size)
    return step(batch.images, batch.labels, lambda purpose: generator(0, purpose))


@pytest.mark.parametrize(("mask", "fill"), COMBINATIONS)
def test_every_combination_makes_a_step_that_teaches_the_whole_student(registry, mask, fill):
    step = paper_step(registry, mask, fill)

    values = run(step)
    values["total"].backward()

    expected = values["ce"] + 30 * values["feature-mse"] + values["wise-kd"]
    torch.testing.assert_close(values["total"], expected)
    assert all(p.grad.isfinite().all() for p in step.student.parameters())


@pytest.mark.parametrize(("mask", "fill"), COMBINATIONS)
def test_the_same_seed_gives_the_same_step(registry, mask, fill):
    first, again = run(paper_step(registry, mask, fill)), run(paper_step(registry, mask, fill))

    torch.testing.assert_close(first, again, rtol=0, atol=0)


@pytest.mark.parametrize("mask", ["random", "object", "context"])
def test_dropping_tokens_equals_masking_keys_in_the_whole_step(registry, mask):
    gathered = paper_step(registry, mask, "none", "gather")
    masked = paper_step(registry, mask, "none", "mask")

    values, other_values = run(gathered), run(masked)
    values["total"].backward()
    other_values["total"].backward()

    torch.testing.assert_close(values, other_values)
    torch.testing.assert_close(
        [p.grad for p in gathered.student.parameters()],
        [p.grad for p in masked.student.parameters()],
        rtol=1e-4,
        atol=1e-5,
    )


def test_no_masking_equals_dropping_no_token(registry):
    unmasked = paper_step(registry, "none", "none")
    batch = tiny_batch()

    outputs = unmasked.outputs(batch, lambda purpose: generator(0, purpose))

    nothing = torch.zeros(3, 2, 3, dtype=torch.bool)
    again = unmasked.student(batch.images, nothing)
    torch.testing.assert_close(outputs.student("counterfactual").features, again.features)


@pytest.mark.parametrize(("mask", "fill"), COMBINATIONS)
def test_every_combination_works_in_bfloat16(registry, mask, fill):
    step = paper_step(registry, mask, fill)

    with torch.autocast("cpu", torch.bfloat16):
        values = run(step)
    values["total"].backward()

    assert all(value.isfinite() for value in values.values())
    assert all(p.grad.isfinite().all() for p in step.student.parameters())


@pytest.mark.parametrize(("mask", "fill"), COMBINATIONS)
def test_freeing_graphs_early_changes_neither_losses_nor_gradients(registry, mask, fill):
    joint, early = paper_step(registry, mask, fill), paper_step(registry, mask, fill)
    batch = tiny_batch(4)

    expected = run(joint)
    expected["total"].backward()
    values = early(
        batch.images,
        batch.labels,
        lambda purpose: generator(0, purpose),
        propagate=Tensor.backward,
    )
    values["total"].backward()

    torch.testing.assert_close(values, expected, rtol=0, atol=0)
    torch.testing.assert_close(
        [p.grad for p in early.student.parameters()],
        [p.grad for p in joint.student.parameters()],
        rtol=1e-4,
        atol=1e-5,
    )
