"""Strategies that misbehave in a step: each is named, with what it has to return."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import torch

import cfft
from cfft.errors import PluginFailedError
from cfft.plugin.failures import failures_named, mark
from cfft.plugin.shared_state import SharedState
from cfft.step.engine import TrainingStep, View
from cfft.testing import tiny_batch, tiny_classifier
from cfft_tasks import CrossEntropy

Act = Callable[..., Any]


def relevance(batch: Any, view: Any) -> Any:
    return cfft.relevance_scores(view.capture, view.clean.logits, batch.labels)


def first_patch(batch: Any, view: Any) -> Any:
    hidden = torch.zeros(len(batch.images), *view.grid, dtype=torch.bool)
    hidden[:, 0, 0] = True
    return cfft.MaskSelection(hidden, view.scores(), 1)


def grey(batch: Any, selection: Any, rng: Any) -> Any:
    return cfft.Counterfactual(torch.full_like(batch.images, 0.5))


def gap(outputs: Any) -> Any:
    return outputs.student("counterfactual").features.square().mean()


def strategy(kind: str, act: Act) -> Any:
    """Make a strategy of a plug-in whose one method is `act`."""

    class Own:
        weight = 1.0
        needs = frozenset({"student.view"})

    method = {"mask": "select", "fill": "refill", "cam": "explain", "loss": "measure"}[kind]
    setattr(Own, method, lambda self, *given: act(*given))
    made = getattr(cfft, kind)("own")(Own)
    mark(made, "own_plugin (own-dist 1.2)")
    return made()


def step_with(kind: str, act: Act) -> TrainingStep:
    acts = {"cam": relevance, "mask": first_patch, "fill": grey, "loss": gap, kind: act}
    made = {kind: strategy(kind, act) for kind, act in acts.items()}
    view = View(made["mask"], made["fill"], made["cam"])
    return TrainingStep(
        tiny_classifier(), CrossEntropy(), {"own": made["loss"]}, {}, {"counterfactual": view}
    )


def draw(purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(0)


def exits(*given: Any) -> None:
    raise SystemExit(5)


def divides(*given: Any) -> None:
    1 / 0  # noqa: B018


def raises_its_own(*given: Any) -> None:
    class Odd(BaseException):
        def __str__(self) -> str:
            raise Odd

    raise Odd


def returns(value: Any) -> Act:
    return lambda *given: value


def hides(*shape: int, dtype: torch.dtype = torch.bool) -> Act:
    return lambda *given: cfft.MaskSelection(torch.zeros(*shape, dtype=dtype))


def drops(*shape: int) -> Act:
    def dropped(batch: Any, selection: Any, rng: Any) -> Any:
        return cfft.Counterfactual(batch.images, torch.zeros(*shape, dtype=torch.bool), 0)

    return dropped


def elsewhere(batch: Any, view: Any) -> Any:
    return relevance(batch, view).to("meta")


def refills(*shape: int, dtype: torch.dtype = torch.float32) -> Act:
    return lambda *given: cfft.Counterfactual(torch.zeros(*shape, dtype=dtype))


def writes(act: Act) -> Act:
    def written(first: Any, *given: Any) -> Any:
        batch = getattr(first, "batch", first)
        batch.images.mul_(0.5)
        return act(first, *given)

    return written


def writes_unseen(act: Act) -> Act:
    def written(first: Any, *given: Any) -> Any:
        getattr(first, "batch", first).images.numpy()[:] *= 0.5
        return act(first, *given)

    return written


def leaves(change: Callable[[], object], act: Act) -> Act:
    def left(*given: Any) -> Any:
        found = act(*given)
        change()
        return found

    return left


def not_numbers(batch: Any, view: Any) -> Any:
    return relevance(batch, view) * float("nan")


def too_much(batch: Any, view: Any) -> Any:
    return relevance(batch, view) + float("inf")


def scored_by_nothing(batch: Any, view: Any) -> Any:
    return attrs.evolve(first_patch(batch, view), scores=torch.full((3, 2, 3), float("nan")))


ALWAYS = [
    *((kind, exits, "SystemExit: 5") for kind in ("mask", "fill", "cam", "loss")),
    *((kind, divides, "ZeroDivisionError: division") for kind in ("mask", "fill", "cam", "loss")),
    ("mask", raises_its_own, "Odd: its message cannot be printed"),
    ("mask", returns(None), "select() must return a MaskSelection, got NoneType"),
    ("mask", returns(torch.zeros(3, 2, 3) > 0), "select() must return a MaskSelection, got Tensor"),
    ("mask", hides(3, 1, 1), "hidden must be [B, gh, gw] = [3, 2, 3], got [3, 1, 1]"),
    ("mask", hides(1, 2, 3), "hidden must be [B, gh, gw] = [3, 2, 3], got [1, 2, 3]"),
    ("mask", hides(3, 3, 2), "hidden must be [B, gh, gw] = [3, 2, 3], got [3, 3, 2]"),
    ("mask", hides(3, 2, 3, dtype=torch.float32), "MaskSelection.hidden must be bool"),
    ("fill", returns(None), "refill() must return a Counterfactual, got NoneType"),
    ("fill", refills(1, 3, 8, 12), "images must be [B, 3, H, W] = [3, 3, 8, 12], got [1, 3, 8, 1"),
    ("fill", refills(3, 3, 8, 12, dtype=torch.uint8), "images must be floating point, got torch"),
    ("fill", refills(3, 3, 8, 12, dtype=torch.float64), "images must be torch.float32 as the b"),
    ("fill", drops(3, 1, 1), "dropped must be [B, gh, gw] = [3, 2, 3], got [3, 1, 1]"),
    ("cam", elsewhere, "scores must be on cpu as the batch, got meta"),
    ("cam", returns(1.0), "explain() must return a Tensor, got float"),
    ("cam", returns(torch.zeros(3, 6)), "scores must be [B, gh, gw] = [3, 2, 3], got [3, 6]"),
    ("cam", returns(torch.zeros(1, 2, 3)), "scores must be [B, gh, gw] = [3, 2, 3], got [1, 2, 3]"),
    ("loss", returns(0.5), "measure() must return a Tensor, got float"),
    ("loss", returns(torch.zeros(3)), "measure() must return a scalar tensor [], got [3]"),
    ("loss", returns(torch.zeros(1)), "measure() must return a scalar tensor [], got [1]"),
    ("loss", returns(torch.tensor(1)), "measure() must be floating point, got torch.int64"),
    ("mask", writes(first_patch), "it writes into the batch: return new tensors"),
    ("fill", writes(grey), "it writes into the batch: return new tensors"),
    ("cam", writes(relevance), "it writes into the batch: return new tensors"),
    ("loss", writes(gap), "it writes into the batch: return new tensors"),
]
BEFORE_TRAINING = [
    ("cam", not_numbers, "scores must be finite, got NaN"),
    ("cam", too_much, "scores must be finite, got infinity"),
    (
        "fill",
        returns(cfft.Counterfactual(torch.full((3, 3, 8, 12), float("nan")))),
        "images must be finite, got NaN",
    ),
    ("mask", scored_by_nothing, "scores must be finite, got NaN"),
    ("loss", returns(torch.tensor(float("inf"))), "measure() must be finite, got infinity"),
    ("mask", writes_unseen(first_patch), "it writes into the batch: return new tensors"),
    ("loss", writes_unseen(gap), "it writes into the batch: return new tensors"),
]


@pytest.mark.parametrize(("kind", "act", "words"), ALWAYS)
def test_a_strategy_that_misbehaves_in_a_step_is_named(kind: str, act: Act, words: str) -> None:
    step = step_with(kind, act)

    with pytest.raises(PluginFailedError) as caught, failures_named(lambda: " at step 3"):
        step.measure(tiny_batch(), draw)

    said = str(caught.value)
    start = f"{kind} 'own' of plug-in own_plugin (own-dist 1.2) failed at step 3: "
    assert said.startswith(f"{start}{words}") or (said.startswith(start) and words in said)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda: os.chdir("/"), "the working directory"),
        (lambda: torch.set_grad_enabled(False), "torch's gradient mode"),
        (lambda: torch.set_default_dtype(torch.float64), "torch's default dtype"),
        (lambda: torch.set_num_threads(7), "torch's number of threads"),
    ],
)
@pytest.mark.parametrize(("kind", "act"), [("mask", first_patch), ("fill", grey), ("loss", gap)])
def test_a_strategy_that_changes_what_the_process_shares_is_named_and_all_is_put_back(
    kind: str, act: Act, change: Callable[[], object], what: str
) -> None:
    step, before = step_with(kind, leaves(change, act)), SharedState.now()

    said = f"{kind} 'own' of .* it changes {what}: leave it"
    with pytest.raises(PluginFailedError, match=said), failures_named():
        step.measure(tiny_batch(), draw)

    assert SharedState.now() == before


@pytest.mark.parametrize(("kind", "act", "words"), BEFORE_TRAINING)
def test_values_are_looked_at_before_training(kind: str, act: Act, words: str) -> None:
    step = step_with(kind, act)

    with pytest.raises(PluginFailedError) as caught, failures_named():
        step.rehearse(tiny_batch(), draw)

    assert str(caught.value) == f"{kind} 'own' of plug-in own_plugin (own-dist 1.2) failed: {words}"


def test_strategies_that_keep_the_rules_measure_and_rehearse_the_same() -> None:
    step = step_with("loss", gap)

    measured, rehearsed = step.measure(tiny_batch(), draw), step.rehearse(tiny_batch(), draw)

    assert torch.equal(measured.total, rehearsed.total)


def test_what_a_model_computes_that_is_no_number_is_not_laid_upon_a_map() -> None:
    step = step_with("loss", gap)
    step.student.head.weight.detach().fill_(float("nan"))

    step.rehearse(tiny_batch(), draw)
