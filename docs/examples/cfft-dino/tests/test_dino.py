"""Loss and teacher keep the rules of their kinds; the loss is worked out by hand."""

import math

import cfft
import pytest
import torch
from cfft.testing import check_strategy

from cfft_dino import DinoLoss, DinoTeacher


@pytest.mark.parametrize("strategy", [DinoLoss, DinoTeacher])
def test_a_strategy_keeps_the_rules_of_its_kind(strategy: type) -> None:
    check_strategy(strategy)


def test_the_teacher_changes_with_the_student() -> None:
    assert DinoTeacher().follows_average


def test_the_loss_of_two_images_by_hand() -> None:
    student = torch.tensor([[2.0, 0.0], [0.0, 3.0]])  # directions (1, 0) and (0, 1)
    teacher = torch.tensor([[5.0, 0.0], [0.0, 1.0]])  # the same; their centre is (0.5, 0.5)
    loss = DinoLoss(student_temperature=1.0, teacher_temperature=1.0, view="original")

    value = loss.measure(outputs_of(student, teacher))

    # teacher: softmax(0.5, -0.5); student: log softmax(1, 0), and the mirror image of both
    target = 1 / (1 + math.exp(-1))
    right, wrong = -math.log(1 + math.exp(-1)), -math.log(1 + math.e)
    torch.testing.assert_close(value, torch.tensor(-(target * right + (1 - target) * wrong)))
    assert value.item() == pytest.approx(0.5822, abs=1e-4)


def test_the_sharper_the_teacher_the_nearer_its_target_is_to_one_class() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = DinoLoss(student_temperature=1.0, teacher_temperature=0.001, view="original")

    value = loss.measure(outputs_of(features, features))

    torch.testing.assert_close(value, torch.tensor(math.log(1 + math.exp(-1))))


def outputs_of(student: torch.Tensor, teacher: torch.Tensor) -> cfft.StepOutputs:
    """Return what a loss on the original images sees."""
    logits = torch.zeros(2, 2)
    return cfft.StepOutputs(
        cfft.Batch(torch.zeros(2, 3, 4, 4), torch.tensor([0, 1])),
        cfft.Encoded(student, logits),
        teachers={"dino": cfft.TeacherOutputs(original=cfft.Encoded(teacher, logits))},
    )
