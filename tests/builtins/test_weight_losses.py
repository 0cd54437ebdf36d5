"""l2-sp: half the squared distance of weights, of plain models and of those with adapters."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.testing import assert_close

from cfft import Encoded, StepOutputs, TeacherOutputs
from cfft.step.engine import TrainingStep
from cfft.testing import tiny_batch, tiny_classifier
from cfft_losses import L2Sp
from cfft_tasks import CrossEntropy

STUDENT = {"encoder.tower.a": torch.tensor([1.0, 2.0]), "head.weight": torch.tensor([[5.0]])}
TEACHER = {"encoder.tower.a": torch.tensor([4.0, 2.0]), "head.weight": torch.tensor([[1.0]])}


def outputs(student: dict[str, Tensor]) -> StepOutputs:
    encoded = Encoded(torch.zeros(3, 2), torch.zeros(3, 3))
    taught = {"clip": TeacherOutputs(weights=TEACHER)}
    return StepOutputs(tiny_batch(), encoded, {}, taught, student)


@pytest.mark.parametrize(("head", "expected"), [(False, 9 / 2), (True, (9 + 16) / 2)])
def test_l2_sp_is_half_the_squared_distance_with_or_without_the_head(
    head: bool, expected: float
) -> None:
    assert_close(L2Sp(head=head).measure(outputs(STUDENT)), torch.tensor(expected))


def test_l2_sp_pulls_each_weight_towards_the_teachers_by_their_difference() -> None:
    student = {key: value.clone().requires_grad_() for key, value in STUDENT.items()}

    L2Sp().measure(outputs(student)).backward()

    assert_close(student["encoder.tower.a"].grad, torch.tensor([-3.0, 0.0]))
    assert student["head.weight"].grad is None


def test_l2_sp_asks_for_no_pass_besides_the_one_on_the_original_images() -> None:
    assert L2Sp().needs == {"student.weights", "teacher.weights"}


class Shift(nn.Module):
    """Add a trained number to a frozen weight."""

    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(0.5))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.by


def test_with_an_adapter_the_weight_that_it_makes_is_compared() -> None:
    student = tiny_classifier()
    parametrize.register_parametrization(student.encoder.tower.ln_post, "weight", Shift())
    step = TrainingStep(student, CrossEntropy(), {"l2-sp": L2Sp()}, {"clip": tiny_classifier()}, {})

    outputs = step.outputs(tiny_batch(), lambda purpose: torch.Generator())
    value = L2Sp().measure(outputs)
    value.backward()

    width = 16
    shift = student.encoder.tower.ln_post.parametrizations.weight[0]
    assert_close(value, torch.tensor(width * 0.25 / 2))
    assert_close(shift.by.grad, torch.tensor(width * 0.5))


def test_weights_of_an_adapted_model_have_a_plain_models_names() -> None:
    student = tiny_classifier()
    parametrize.register_parametrization(student.encoder.tower.ln_post, "weight", Shift())

    assert student.named_weights().keys() == dict(tiny_classifier().named_parameters()).keys()
