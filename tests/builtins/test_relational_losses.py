"""relational and feature-cosine, on hand-worked features; logit-kl on every view."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

import cfft
from cfft import (
    Batch,
    Counterfactual,
    Encoded,
    MaskSelection,
    StepOutputs,
    TeacherOutputs,
    ViewOutputs,
)
from cfft.testing import check_strategy, tiny_batch, tiny_classifier
from cfft_losses import FeatureCosine, LogitKl, Relational

X, Y = [1.0, 0.0], [0.0, 1.0]
BATCH = tiny_batch(3)


def encoded(features: list[list[float]], logits: list[list[float]] | None = None) -> Encoded:
    found = torch.tensor(features)
    return Encoded(found, torch.zeros(len(found), 3) if logits is None else torch.tensor(logits))


def outputs(view: str, student: Encoded, teacher: Encoded, batch: Batch = BATCH) -> StepOutputs:
    """Let both say so on `view`, and something else on every other one."""
    if view == "original":
        taught = TeacherOutputs(original=teacher)
        return StepOutputs(batch, student, {}, {"clip": taught})
    selection = MaskSelection(torch.zeros(len(batch.images), 2, 3, dtype=torch.bool))
    seen = {view: ViewOutputs(selection, Counterfactual(batch.images), student)}
    other = encoded([[9.0, 9.0]] * len(batch.images))
    taught = TeacherOutputs(views={view: teacher})
    return StepOutputs(batch, other, seen, {"clip": taught})


def kl(wanted: list[float], own: list[float]) -> float:
    return sum(p * math.log(p / q) for p, q in zip(wanted, own, strict=True))


def softmax(values: list[float]) -> list[float]:
    total = sum(map(math.exp, values))
    return [math.exp(value) / total for value in values]


def test_relational_is_exact_under_autocast() -> None:
    drawn = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    student, teacher = (encoded(each.tolist()) for each in drawn)
    given = outputs("original", student, teacher)

    exact = Relational().measure(given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = Relational().measure(given)

    assert_close(value, exact, rtol=0, atol=0)


@pytest.mark.parametrize("view", ["original", "counterfactual", "restyled"])
def test_relational_is_the_divergence_of_similarities_to_the_others(view: str) -> None:
    student = encoded([X, [2.0, 0.0], Y])  # cosines: 01 -> 1, 02 -> 0, 12 -> 0
    teacher = encoded([X, Y, Y])  # 01 -> 0, 02 -> 0, 12 -> 1
    loss = Relational(view=view, temperature=0.5)

    value = loss.measure(outputs(view, student, teacher))

    even, first, last = softmax([0, 0]), softmax([2, 0]), softmax([0, 2])
    expected = (kl(even, first) + kl(last, first) + kl(last, even)) / 3
    assert_close(value, torch.tensor(expected))


def test_relational_looks_at_directions_and_not_at_lengths_or_rotations() -> None:
    features = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [0.3, -2.0]])
    turned = 7 * features @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    logits = torch.zeros(3, 3)

    value = Relational().measure(
        outputs("original", Encoded(turned, logits), Encoded(features, logits))
    )

    assert_close(value, torch.tensor(0.0))


@pytest.mark.parametrize("view", ["original", "counterfactual", "restyled"])
def test_feature_cosine_is_one_minus_the_mean_cosine(view: str) -> None:
    student, teacher = encoded([X, [0.0, -2.0], [3.0, 4.0]]), encoded([[5.0, 0.0], Y, X])

    value = FeatureCosine(view=view).measure(outputs(view, student, teacher))

    assert_close(value, torch.tensor(1 - (1 - 1 + 0.6) / 3))


@pytest.mark.parametrize("view", ["original", "counterfactual", "restyled"])
def test_logit_kl_compares_on_the_view_that_it_names(view: str) -> None:
    student = encoded([X] * 3, [[0.0, 0.0, 0.0]] * 3)
    teacher = encoded([X] * 3, [[math.log(2), 0.0, 0.0]] * 3)

    value = LogitKl(view=view, temperature=1.0).measure(outputs(view, student, teacher))

    assert_close(value, torch.tensor(kl([1 / 2, 1 / 4, 1 / 4], [1 / 3] * 3)))


@pytest.mark.parametrize("loss", [Relational(), FeatureCosine()])
def test_gradients_flow_into_the_student(loss: cfft.AuxLoss) -> None:
    classifier = tiny_classifier()
    student, teacher = classifier(BATCH.images), tiny_classifier(seed=1)(BATCH.images)

    loss.measure(outputs(loss.view, student, teacher)).backward()

    gradient = classifier.encoder.tower.conv1.weight.grad
    assert gradient is not None
    assert bool(gradient.isfinite().all())
    assert float(gradient.abs().sum()) > 0


@pytest.mark.parametrize("size", [1, 2])
def test_relational_of_too_few_images_is_zero_with_finite_gradients(size: int) -> None:
    student = torch.randn(size, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    taught = Encoded(torch.ones(size, 2), torch.zeros(size, 3))
    seen = outputs("original", Encoded(student, taught.logits), taught, batch=tiny_batch(size))

    value = Relational().measure(seen)
    value.backward()

    assert_close(value, torch.tensor(0.0))
    assert student.grad is not None
    assert bool(student.grad.isfinite().all())


def test_relational_keeps_the_rules_on_a_view_too() -> None:
    check_strategy(Relational, {"view": "counterfactual"})
