"""What is constant over training: found from what strategies say, and read instead of computed."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cfft
from cfft.runtime.randomness import generator
from cfft.step.constants import KeptOutputs, TeacherView, find_constants
from cfft.step.engine import TrainingStep, View
from cfft.testing import tiny_batch, tiny_classifier
from cfft_cams import GradCam, Relevance
from cfft_fills import BlurFill, NoFill, SingleFill
from cfft_losses import FeatureMse, LogitKl
from cfft_masks import ContextMask, NoMask, ObjectMask, RandomMask
from cfft_tasks import CrossEntropy

TAUGHT = Relevance(of="teacher")
ORIGINAL, VIEW = TeacherView("clip", "original"), TeacherView("clip", "counterfactual")
MSE = {"mse": FeatureMse(scale="raw", weight=30.0)}
CONSTANT = {
    "no masking": (View(NoMask(), SingleFill(), None), (), (ORIGINAL,)),
    "dropped by a teacher's map": (View(ObjectMask(), NoFill(), TAUGHT), (TAUGHT,), (VIEW,)),
    "blurred by a teacher's map": (View(ContextMask(), BlurFill(), TAUGHT), (TAUGHT,), (VIEW,)),
    "refilled by a teacher's map": (View(ObjectMask(), SingleFill(), TAUGHT), (TAUGHT,), ()),
    "dropped at random": (View(RandomMask(), NoFill(), None), (), ()),
    "dropped by the student's map": (View(ObjectMask(), NoFill(), Relevance()), (), ()),
}
CHANGING = {
    "refilled by a teacher's map": "its fill may make another image each time",
    "dropped at random": "its mask may hide other patches each time",
    "dropped by the student's map": "its map is that of the student, which changes",
}


def step_of(view: View, losses: Any = None) -> TrainingStep:
    teachers = {"clip": tiny_classifier(seed=1)}
    return TrainingStep(
        tiny_classifier(), CrossEntropy(), losses or MSE, teachers, {"counterfactual": view}
    )


def constants_of(step: TrainingStep, averaged: tuple[str, ...] = ()) -> Any:
    return find_constants(step.terms, step.views, step.labels, averaged, patches=6)


def draw(purpose: str, seed: int = 0) -> torch.Generator:
    return generator(seed, purpose)


def keep(step: TrainingStep, size: int = 5) -> tuple[cfft.Batch, KeptOutputs]:
    """Compute what is constant of a tiny training set, two images at a time."""
    constants, whole = constants_of(step), tiny_batch(size)
    parts = zip(whole.images.split(2), whole.labels.split(2), strict=True)
    rows = [step.constant_rows(cfft.Batch(*part), constants, draw) for part in parts]
    items = [torch.cat(each) for each in zip(*rows, strict=True)]
    maps = dict(zip(constants.maps, items, strict=False))
    return whole, KeptOutputs(maps, dict(zip(constants.features, items[len(maps) :], strict=True)))


def values_of(step: TrainingStep, whole: cfft.Batch) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Measure three images out of order, as training meets them."""
    ids = [4, 0, 2]
    values = step(whole.images[ids], whole.labels[ids], draw, ids=ids)
    values["total"].backward()
    gradients = [p.grad.clone() for p in step.student.parameters()]
    step.zero_grad()
    return {name: value.detach() for name, value in values.items()}, gradients


def passes_of(model: nn.Module) -> list[int]:
    calls: list[int] = []
    model.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("name", CONSTANT)
def test_maps_and_features_that_no_draw_changes_are_found(name: str):
    view, maps, features = CONSTANT[name]

    found = constants_of(step_of(view))

    assert (found.maps, found.features) == (maps, features)
    assert found.changing.get(VIEW) == CHANGING.get(name)


def test_logits_on_the_original_images_are_those_of_kept_features():
    losses = {"kl": LogitKl(), **MSE}

    found = constants_of(step_of(View(RandomMask(), NoFill(), None), losses))

    assert found.features == (ORIGINAL,)


def test_nothing_of_a_teacher_that_follows_an_average_is_constant():
    found = constants_of(step_of(View(ObjectMask(), NoFill(), TAUGHT)), averaged=("clip",))

    assert not found
    assert all("follows an average" in reason for reason in found.changing.values())


def test_a_grad_cam_of_the_teacher_is_constant_as_well():
    cam = GradCam(of="teacher")

    assert constants_of(step_of(View(ObjectMask(), NoFill(), cam))).maps == (cam,)


@pytest.mark.parametrize("name", [name for name, (_, *kept) in CONSTANT.items() if any(kept)])
def test_a_step_with_what_was_kept_agrees_with_one_that_computes_it(name: str):
    step = step_of(CONSTANT[name][0])
    whole, kept = keep(step)
    computed = values_of(step, whole)

    step.kept = kept

    torch.testing.assert_close(values_of(step, whole), computed, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["no masking", "dropped by a teacher's map"])
def test_a_step_with_everything_kept_makes_no_pass_of_the_teacher(name: str):
    step = step_of(CONSTANT[name][0], {"kl": LogitKl(), **MSE})
    whole, step.kept = keep(step)
    calls = passes_of(step.teacher("clip").classifier)

    values_of(step, whole)

    assert calls == []


def test_a_kept_map_is_that_of_the_image_rounded_to_half_precision():
    step = step_of(CONSTANT["refilled by a teacher's map"][0])
    whole, kept = keep(step)
    exact = step.selections(whole, draw)["counterfactual"].scores

    assert kept.maps[TAUGHT].dtype == torch.float16
    torch.testing.assert_close(kept.maps[TAUGHT].float(), exact, rtol=0, atol=2**-11)


def test_images_without_ids_are_computed():
    step = step_of(CONSTANT["no masking"][0])
    whole, step.kept = keep(step)
    calls = passes_of(step.teacher("clip").classifier)

    step(whole.images, whole.labels, draw)

    assert calls == [1]
