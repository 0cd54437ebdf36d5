"""Several views of a batch in one step: which passes are made, and who sees what."""

from __future__ import annotations

from typing import ClassVar

import attrs
import pytest
import torch
from torch import Tensor

import cfft
from cfft import Counterfactual, MaskSelection, StepOutputs
from cfft.errors import ConfigError
from cfft.runtime.randomness import generator
from cfft.step.engine import TrainingStep, View
from cfft.step.text import TextSide
from cfft.testing import tiny_batch, tiny_classifier
from cfft.testing.models import TinyText
from cfft_tasks import CrossEntropy, NoTask


@attrs.frozen
class CoinMask:
    def select(self, batch, view):
        shape = (len(batch.images), *view.grid)
        return MaskSelection(torch.rand(shape, generator=view.rng) > 0.5)


@attrs.frozen
class NothingMask:
    def select(self, batch, view):
        hidden = torch.zeros(len(batch.images), *view.grid, dtype=torch.bool)
        return MaskSelection(hidden, hidden_per_image=0)


@attrs.frozen
class TaughtMask:
    """Hide what a teacher's map scores above a half."""

    follows: str = "first"

    def select(self, batch, view):
        scores = view.teacher(self.follows).scores(LogitMap())
        return MaskSelection(scores > 0.5, scores)


@attrs.frozen
class LogitMap:
    def explain(self, batch, view):
        return cfft.relevance_scores(view.capture, view.clean.logits, batch.labels)


@attrs.frozen
class DropFill:
    def refill(self, batch, selection, rng):
        return Counterfactual(batch.images, selection.hidden, selection.hidden_per_image)


@attrs.frozen
class DarkFill:
    """Darken every image by a drawn factor."""

    def refill(self, batch, selection, rng):
        return Counterfactual(batch.images * torch.rand((), generator=rng))


@attrs.frozen
class Gap:
    needs = frozenset({"student.view", "teacher.view"})
    view: str = "counterfactual"
    weight: float = 2.0
    teacher: str = "first"

    def measure(self, outputs: StepOutputs) -> Tensor:
        taught = outputs.teacher(self.teacher, self.view).features
        return (outputs.student(self.view).features - taught).square().mean()


@attrs.frozen
class TeacherAlone:
    """Look at a view through the teacher's eyes only."""

    needs = frozenset({"teacher.view"})
    view: str = "dark"
    weight: float = 1.0
    teacher: str = "first"

    def measure(self, outputs: StepOutputs) -> Tensor:
        taught = outputs.teacher(self.teacher, self.view).features
        return (outputs.student_original.features - taught).square().mean()


@attrs.frozen
class PromptGap:
    needs: ClassVar = frozenset({"student.text", "teacher.text"})
    weight: float = 1.0

    def measure(self, outputs: StepOutputs) -> Tensor:
        text = outputs.prompts()
        prompts = [text.prompt(text.templates[0], label) for label in range(len(text.classes))]
        return (text(prompts) - text.pretrained(prompts)).square().mean() + text.logit_scale


VIEWS = {"counterfactual": View(CoinMask(), DropFill()), "dark": View(CoinMask(), DarkFill())}


def step_of(losses, views=VIEWS, task=None, text=None) -> TrainingStep:
    teachers = {"first": tiny_classifier(seed=1)}
    return TrainingStep(tiny_classifier(), task or CrossEntropy(), losses, teachers, views, text)


def draw(purpose: str) -> torch.Generator:
    return generator(0, purpose)


def passes_of(model: torch.nn.Module) -> list[int]:
    """Count the passes of a model, in a list that grows."""
    calls: list[int] = []
    model.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_each_loss_sees_the_images_of_its_own_view():
    step, batch = step_of({"masked": Gap(), "dark": Gap(view="dark")}), tiny_batch()

    outputs = step.outputs(batch, draw)

    masked, dark = (outputs.views[label] for label in ("counterfactual", "dark"))
    student, teacher = step.student, step.teacher("first").classifier
    dropped = masked.counterfactual.dropped
    torch.testing.assert_close(masked.student.features, student(batch.images, dropped).features)
    torch.testing.assert_close(dark.student.features, student(dark.counterfactual.images).features)
    taught = outputs.teacher("first", "dark").features
    torch.testing.assert_close(taught, teacher(dark.counterfactual.images).features)


def test_the_draws_of_a_view_do_not_depend_on_the_other_views():
    both = step_of({"masked": Gap(), "dark": Gap(view="dark")})
    alone = step_of({"masked": Gap()}, {"counterfactual": VIEWS["counterfactual"]})

    seen, wanted = (
        step.outputs(tiny_batch(), draw).views["counterfactual"] for step in (both, alone)
    )

    assert torch.equal(seen.selection.hidden, wanted.selection.hidden)


def test_two_views_with_the_same_mask_draw_different_patches():
    views = {"counterfactual": View(CoinMask(), DropFill()), "dark": View(CoinMask(), DropFill())}
    step = step_of({"masked": Gap(), "dark": Gap(view="dark")}, views)

    first, second = step.outputs(tiny_batch(), draw).views.values()

    assert not torch.equal(first.selection.hidden, second.selection.hidden)


def test_a_view_that_no_loss_follows_is_not_made():
    step = step_of({"dark": Gap(view="dark")})

    assert list(step.outputs(tiny_batch(), draw).views) == ["dark"]


def test_a_loss_on_the_original_images_makes_no_second_pass():
    step = step_of({"clean": Gap(view="original")})
    student, teacher = passes_of(step.student), passes_of(step.teacher("first").classifier)

    values = step(*attrs.astuple(tiny_batch(), recurse=False)[:2], draw)

    assert (len(student), len(teacher)) == (1, 1)
    assert values["clean"] > 0


def test_a_view_that_only_the_teacher_has_to_see_costs_the_student_nothing():
    step = step_of({"taught": TeacherAlone()})
    student, teacher = passes_of(step.student), passes_of(step.teacher("first").classifier)

    outputs = step.outputs(tiny_batch(), draw)

    assert (len(student), len(teacher)) == (1, 1)
    assert outputs.views["dark"].student is None


def test_hiding_nothing_in_one_view_reuses_the_clean_pass_beside_another_view():
    views = {"counterfactual": View(NothingMask(), DropFill()), "dark": VIEWS["dark"]}
    step = step_of({"clean": Gap(), "dark": Gap(view="dark")}, views)
    student = passes_of(step.student)

    outputs = step.outputs(tiny_batch(), draw)

    assert len(student) == 2
    assert outputs.student("counterfactual") is outputs.student_original


def test_a_loss_on_an_unknown_view_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"unknown view 'drk'; did you mean 'dark'\?"):
        step_of({"gap": Gap(view="drk")})


def test_a_mask_may_look_at_the_map_of_a_teacher():
    step = step_of({"gap": Gap()}, {"counterfactual": View(TaughtMask(), DropFill())})
    batch = tiny_batch()

    selection = step.outputs(batch, draw).views["counterfactual"].selection

    own = step_of({"gap": Gap()}, {"counterfactual": View(TaughtMask(), DropFill())})
    own.student.load_weights(step.teacher("first").classifier.weights())
    again = own.outputs(batch, draw).views["counterfactual"].selection
    torch.testing.assert_close(selection.scores, again.scores)
    assert not selection.scores.requires_grad


def test_a_mask_that_looks_at_an_absent_teacher_is_refused():
    views = {"counterfactual": View(TaughtMask(follows="secnd"), DropFill())}

    with pytest.raises(ConfigError, match="mask: unknown teacher 'secnd'"):
        step_of({"gap": Gap()}, views)


def test_without_a_task_the_losses_alone_are_summed():
    step = step_of({"dark": Gap(view="dark")}, task=NoTask())

    result = step.measure(tiny_batch(), draw)

    torch.testing.assert_close(result.total, 2.0 * result.terms[1].value)
    assert [term.name for term in result.terms] == ["task", "dark"]


def test_a_loss_that_reads_prompts_trains_the_text_tower_and_not_the_pre_trained_one():
    text = TextSide(TinyText(), ("cat", "dog", "cow"), ("a {}",), PromptGap.needs)
    step = step_of({"prompts": PromptGap()}, text=text)

    step.measure(tiny_batch(), draw).total.backward()

    assert text.tower.logit_scale.grad > 0
    assert all(p.grad is None for p in text.frozen.parameters())


def test_prompts_of_the_pre_trained_tower_are_encoded_once():
    text = TextSide(TinyText(), ("cat", "dog", "cow"), ("a {}",), PromptGap.needs)
    step = step_of({"prompts": PromptGap()}, text=text)
    encoded = passes_of(text.frozen)

    step.measure(tiny_batch(), draw)
    step.measure(tiny_batch(), draw)

    assert len(encoded) == 1


def test_a_loss_that_reads_prompts_needs_a_text_tower():
    with pytest.raises(ConfigError, match="needs a model with a text tower"):
        step_of({"prompts": PromptGap()})
