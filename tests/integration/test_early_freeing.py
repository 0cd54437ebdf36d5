"""Groups of terms propagated one after another: the gradients of one backward pass, less memory."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor

import cfft
from cfft.errors import PluginError
from cfft.runtime.randomness import generator
from cfft.step.engine import TrainingStep, View
from cfft.step.needs import connected
from cfft.testing import tiny_batch, tiny_classifier, tiny_text_side
from cfft.testing.activations import SavedActivations
from cfft_adaptations import Lora
from cfft_cams import GradCam, Relevance
from cfft_fills import MultiFill, NoFill, SingleFill
from cfft_losses import (
    FeatureCosine,
    FeatureMse,
    L2Sp,
    LipsumFt,
    LogitKl,
    Orthogonality,
    Relational,
    SimilarityKd,
    TextSimilarity,
)
from cfft_masks import ContextMask, ObjectMask, RandomMask
from cfft_tasks import Contrastive, CrossEntropy, NoTask

ALMOST_HALF = 0.55
"""Share of the joint graph's peak that two equal groups may have: a half and what they share."""

HALF = {"share": 0.5, "threshold": None}
VIEWS = {
    "counterfactual": View(ObjectMask(**HALF), SingleFill(), Relevance()),
    "context": View(ContextMask(**HALF), NoFill(), GradCam(of="teacher", teacher="clip")),
    "random": View(RandomMask(rate=0.4), MultiFill()),
}
ON_CONTEXT = {"view": "context", "teacher": "clip"}
OBJECTIVES: dict[str, tuple[cfft.Task, dict[str, Any]]] = {
    "three views": (
        CrossEntropy(),
        {
            "one": FeatureMse(scale="raw", weight=30.0),
            "two": FeatureCosine(**ON_CONTEXT, weight=2.0),
            "three": FeatureMse(scale="relative", weight=3.0, view="random"),
        },
    ),
    "terms that share a view": (
        CrossEntropy(),
        {"one": FeatureCosine(), "two": Relational(view="counterfactual"), "three": LogitKl()},
    ),
    "weights": (CrossEntropy(), {"stay": L2Sp(head=True), "one": FeatureCosine(**ON_CONTEXT)}),
    "no task": (NoTask(), {"one": FeatureCosine(), "two": FeatureCosine(**ON_CONTEXT)}),
    "text on two views": (
        Contrastive(),
        {
            "anchored": LipsumFt(view="context", texts=3, length=2),
            "classes": TextSimilarity(view="counterfactual"),
            "one": FeatureCosine(view="random"),
        },
    ),
    "an average": (
        Contrastive(),
        {
            "alike": SimilarityKd(teacher="clip"),
            "straight": Orthogonality(),
            "one": FeatureCosine(),
        },
    ),
}


def step_of(task: cfft.Task, losses: Mapping[str, Any], student: Any = None) -> TrainingStep:
    needs = frozenset({"student.text", "teacher.text", "average.text"})
    step = TrainingStep(
        student or tiny_classifier(),
        task,
        losses,
        {"clip": tiny_classifier(seed=1)},
        VIEWS,
        tiny_text_side(needs),
    )
    step.teacher("clip").feature_variance = torch.tensor(2.0)
    return step


def draw(purpose: str) -> torch.Generator:
    return generator(0, purpose)


def jointly(step: TrainingStep, scale: float = 1.0) -> tuple[dict[str, Tensor], list[Tensor]]:
    batch = tiny_batch(4)
    values = step(batch.images, batch.labels, draw)
    (scale * values["total"]).backward()
    return detached(values), gradients(step)


def one_by_one(step: TrainingStep, scale: float = 1.0) -> tuple[dict[str, Tensor], list[Tensor]]:
    batch = tiny_batch(4)
    values = step(
        batch.images, batch.labels, draw, propagate=lambda value: (scale * value).backward()
    )
    (scale * values["total"]).backward()
    return detached(values), gradients(step)


def detached(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in values.items()}


def gradients(step: TrainingStep) -> list[Tensor]:
    trained = [p for p in step.parameters() if p.requires_grad]
    found = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in trained]
    step.zero_grad()
    return found


def assert_same_gradients(found: list[Tensor], expected: list[Tensor]) -> None:
    largest = max(float(each.abs().max()) for each in expected)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6 * largest)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_several_losses_and_views_have_the_gradients_of_one_backward_pass(name: str):
    step = step_of(*OBJECTIVES[name])

    (values, found), (joint, expected) = one_by_one(step, 0.25), jointly(step, 0.25)

    torch.testing.assert_close(values, joint, rtol=0, atol=0)
    assert_same_gradients(found, expected)


@pytest.mark.parametrize("name", ["three views", "weights"])
def test_adapters_have_the_gradients_of_one_backward_pass(name: str):
    step = step_of(*OBJECTIVES[name], student_with_adapters())

    (values, found), (joint, expected) = one_by_one(step), jointly(step)

    torch.testing.assert_close(values, joint, rtol=0, atol=0)
    assert_same_gradients(found, expected)


def student_with_adapters() -> cfft.Classifier:
    student = tiny_classifier()
    Lora(rank=2).attach(student, generator(0, "adapters"))
    student.load_adapters(student.weights(), moved(student.adapters()))
    return student


def moved(adapters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring adapters away from where they change nothing."""
    rng = generator(1, "adapters")
    return {k: v + 0.1 * torch.randn(v.shape, generator=rng) for k, v in adapters.items()}


def test_half_precision_has_the_gradients_of_one_backward_pass_but_for_its_rounding():
    step = step_of(*OBJECTIVES["three views"])
    batch = tiny_batch(4)

    with torch.autocast("cpu", torch.bfloat16):
        early = step(batch.images, batch.labels, draw, propagate=Tensor.backward)
    early["total"].backward()
    found = gradients(step)
    with torch.autocast("cpu", torch.bfloat16):
        joint = step(batch.images, batch.labels, draw)
    joint["total"].backward()

    torch.testing.assert_close(detached(early), detached(joint), rtol=0, atol=0)
    expected = gradients(step)
    norm = torch.stack([each.norm() for each in expected]).norm()
    gap = torch.stack([(a - b).norm() for a, b in zip(found, expected, strict=True)]).norm()
    assert gap < 2**-7 * norm  # of sums that a joint pass rounds to bfloat16
    assert all(each.dtype == torch.float32 for each in found)


def peak(backward: Callable[[TrainingStep], object], step: TrainingStep) -> int:
    with SavedActivations() as saved:
        backward(step)
    return saved.peak


def deep(task: cfft.Task, losses: Mapping[str, Any], views: Mapping[str, View]) -> TrainingStep:
    """Make a step of models in which activations of the blocks are most of all there is."""
    student, teacher = (tiny_classifier(layers=8, seed=seed) for seed in (0, 1))
    return TrainingStep(student, task, losses, {"clip": teacher}, views)


def test_activations_of_one_pass_are_held_at_a_time():
    view = {"counterfactual": VIEWS["counterfactual"]}
    step = deep(CrossEntropy(), {"mse": FeatureMse(scale="raw", weight=30.0)}, view)

    early, joint = peak(one_by_one, step), peak(jointly, step)

    assert early < ALMOST_HALF * joint


@pytest.mark.parametrize("name", OBJECTIVES)
def test_checkpointed_blocks_give_the_same_losses_and_gradients(name: str):
    step = step_of(*OBJECTIVES[name])
    values, expected = one_by_one(step)

    step.student.encoder.checkpointed = True

    torch.testing.assert_close(one_by_one(step), (values, expected), rtol=0, atol=0)


def test_checkpointed_blocks_with_adapters_give_the_same_losses_and_gradients():
    step = step_of(*OBJECTIVES["weights"], student_with_adapters())
    kept, expected = one_by_one(step)

    step.student.encoder.checkpointed = True
    values, found = one_by_one(step)

    torch.testing.assert_close(values, kept, rtol=0, atol=0)
    assert_same_gradients(found, expected)


def test_checkpointed_blocks_keep_their_inputs_alone():
    step = deep(CrossEntropy(), {"mse": FeatureMse(scale="raw", weight=30.0)}, VIEWS)
    kept = peak(one_by_one, step)

    step.student.encoder.checkpointed = True

    assert peak(one_by_one, step) < 0.3 * kept
    assert all(parameter.requires_grad for parameter in step.student.parameters())


def test_three_views_hold_no_more_than_one():
    views = {
        **VIEWS,
        "random": View(ContextMask(**HALF), SingleFill(), Relevance()),
    }
    losses = {label: FeatureCosine(view=label) for label in ("counterfactual", "random")}
    two = deep(CrossEntropy(), losses, views)
    one = deep(CrossEntropy(), {"counterfactual": FeatureCosine()}, views)

    assert peak(one_by_one, two) == pytest.approx(peak(one_by_one, one), rel=0.01)


def test_a_loss_that_names_the_original_images_keeps_their_pass():
    step = deep(CrossEntropy(), {"gap": BothPasses()}, VIEWS)

    (values, found), (joint, expected) = one_by_one(step), jointly(step)

    torch.testing.assert_close(values, joint, rtol=0, atol=0)
    assert_same_gradients(found, expected)
    assert peak(one_by_one, step) == pytest.approx(peak(jointly, step), rel=0.01)


def test_a_loss_that_names_two_views_keeps_both_passes():
    step = step_of(CrossEntropy(), {"gap": TwoViews(), "one": FeatureCosine(view="random")})

    (values, found), (joint, expected) = one_by_one(step), jointly(step)

    torch.testing.assert_close(values, joint, rtol=0, atol=0)
    assert_same_gradients(found, expected)


@attrs.frozen
class BothPasses(cfft.AuxLoss):
    needs = frozenset({"student.view", "student.original"})
    weight: float = 2.0

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        view = outputs.student("counterfactual").features
        return (view - outputs.student_original.features).square().mean()


@attrs.frozen
class TwoViews(cfft.AuxLoss):
    needs = frozenset({"student.view"})
    further_views = frozenset({"context"})
    weight: float = 2.0

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        first, second = (outputs.student(view).features for view in ("counterfactual", "context"))
        return (first - second).square().mean()


@attrs.frozen
class Undeclared(BothPasses):
    needs = frozenset({"student.view"})


@attrs.frozen
class UndeclaredView(TwoViews):
    further_views: frozenset[str] = frozenset()


@attrs.frozen
class ReadsValues(cfft.AuxLoss):
    """Weigh images of the view by the original's logits, without a gradient."""

    needs = frozenset({"student.view"})
    weight: float = 2.0

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        sure = outputs.student_original.logits.detach().softmax(dim=-1).amax(dim=-1)
        return (sure * outputs.student("counterfactual").features.square().mean(dim=1)).mean()


def test_a_loss_may_read_values_of_a_pass_that_it_does_not_name():
    step = step_of(CrossEntropy(), {"weighed": ReadsValues()})

    (values, found), (joint, expected) = one_by_one(step), jointly(step)

    torch.testing.assert_close(values, joint, rtol=0, atol=0)
    assert_same_gradients(found, expected)


def test_a_gradient_into_a_pass_that_is_not_named_is_found_before_training():
    step = step_of(CrossEntropy(), {"gap": Undeclared()})

    with pytest.raises(PluginError, match=r"'gap' sends a gradient .* student\.original in needs"):
        step.rehearse(tiny_batch(4), draw)


def test_a_gradient_into_a_pass_that_is_not_named_is_never_lost():
    step = step_of(CrossEntropy(), {"gap": Undeclared()})

    with pytest.raises(PluginError, match=r"'gap' sends a gradient .* student\.original in needs"):
        one_by_one(step)


def test_a_gradient_into_another_view_is_found_before_training():
    losses = {"gap": UndeclaredView(), "one": FeatureCosine(**ON_CONTEXT)}

    with pytest.raises(PluginError, match=r"'gap' .* the view 'context': .* further_views"):
        step_of(CrossEntropy(), losses).rehearse(tiny_batch(4), draw)


def test_terms_that_share_a_pass_through_others_are_one_group():
    passes = {"a": {"x"}, "b": {"original"}, "c": {"y"}, "d": {"x", "y"}, "e": {"z"}}

    groups = connected({label: frozenset(own) for label, own in passes.items()})

    assert groups == [("b",), ("a", "c", "d"), ("e",)]
