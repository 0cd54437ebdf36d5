import attrs
import pytest
import torch

import cfft
from cfft.step.passes import CleanPass, FrozenTeacher, divided_by_maximum
from cfft.testing import tiny_batch, tiny_classifier


@attrs.frozen
class RelevanceMap:
    def explain(self, batch, view):
        return cfft.relevance_scores(view.capture, view.clean.logits, batch.labels)


@attrs.frozen
class CountingMap:
    calls: list[int] = attrs.field(factory=list, eq=False)

    def explain(self, batch, view):
        self.calls.append(1)
        return torch.ones(len(batch.images), *view.grid)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_map_leaves_gradients_buffers_mode_and_global_randomness_alone():
    student, batch = tiny_classifier().train(), tiny_batch()
    student(batch.images).logits.sum().backward()
    gradients = {n: p.grad.clone() for n, p in student.named_parameters()}
    values = {n: v.clone() for n, v in student.state_dict().items()}
    random_state = torch.get_rng_state()

    CleanPass.of(student, batch).seen_by(RelevanceMap(), rng()).scores()

    torch.testing.assert_close({n: p.grad for n, p in student.named_parameters()}, gradients)
    torch.testing.assert_close(dict(student.state_dict()), values, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(module.training for module in student.modules())


def test_scores_are_divided_by_each_images_maximum_and_nothing_is_subtracted():
    raw = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])

    scores = divided_by_maximum(raw)

    expected = torch.tensor([[[0.25, 0.5], [0.75, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    torch.testing.assert_close(scores, expected)


def test_a_map_is_computed_once_per_step_however_often_it_is_asked_for():
    counting = CountingMap()
    view = CleanPass.of(tiny_classifier(), tiny_batch()).seen_by(counting, rng())

    first, again, named = view.scores(), view.scores(), view.scores(counting)

    assert first is again is named
    assert len(counting.calls) == 1


def test_another_map_than_the_runs_has_its_own_scores():
    view = CleanPass.of(tiny_classifier(), tiny_batch()).seen_by(CountingMap(), rng())

    assert not torch.equal(view.scores(), view.scores(RelevanceMap()))


def test_a_view_without_a_map_says_so():
    view = CleanPass.of(tiny_classifier(), tiny_batch()).seen_by(None, rng())

    with pytest.raises(ValueError, match="needs a map"):
        view.scores()


def test_scores_hold_no_graph_whatever_a_map_returns():
    scores = divided_by_maximum(torch.ones(2, 2, 3, requires_grad=True) * 2)

    assert not scores.requires_grad


def test_a_teacher_is_frozen_and_evaluates_from_the_start():
    classifier = tiny_classifier().train()

    teacher = FrozenTeacher(classifier, frozenset(), frozenset())

    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
