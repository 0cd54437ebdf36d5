"""Losses that compare images with prompts, and CaRot's, on cases worked by hand."""

from collections.abc import Sequence

import attrs
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import cfft
from cfft import Batch, Encoded, StepOutputs, TeacherOutputs
from cfft.step.text import TextSide
from cfft.testing import check_strategy, tiny_text_side
from cfft.testing.models import TinyText
from cfft_losses import CarFt, LipsumFt, Orthogonality, SimilarityKd, TextSimilarity

PRETRAINED = frozenset({"teacher.text"})
TRAINED = frozenset({"student.text", "average.text"})
BATCH = Batch(torch.zeros(2, 3, 8, 12), torch.tensor([0, 1]))
UNIT = torch.eye(8)


class Table(torch.nn.Module):
    """A text tower that gives the features it was made with."""

    def __init__(self, rows: dict[str, Tensor], factor: float) -> None:
        super().__init__()
        self.prompts = tuple(rows)
        self.rows = torch.nn.Parameter(torch.stack([*rows.values()]))
        self.logit_scale = torch.nn.Parameter(torch.tensor(factor).log())

    def forward(self, prompts: Sequence[str]) -> Tensor:
        return self.rows[[self.prompts.index(prompt) for prompt in prompts]]


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def outputs(student: Tensor, teacher: Tensor, text: TextSide, label: str = "clip") -> StepOutputs:
    """Let student and teacher see features [2, 8] on the original images."""
    none = torch.zeros(2, 2)
    taught = TeacherOutputs(Encoded(teacher, none))
    return StepOutputs(BATCH, Encoded(student, none), {}, {label: taught}, text=text.at(rng()))


def divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """Return the sum of p log(p / q) over the last dimension, averaged over the rest."""
    return (teacher * (teacher / student).log()).sum(dim=-1).mean()


def test_car_ft_is_the_divergence_of_the_distributions_over_templates():
    tower = Table({"a": UNIT[0], "b": UNIT[1]}, 2.0)
    side = TextSide(tower, ("",), ("a{}", "b{}"), PRETRAINED)
    student, teacher = UNIT[[0, 0]], 5 * UNIT[[1, 0]]  # features may have any length

    value = CarFt().measure(outputs(student, teacher, side))

    high = torch.tensor(2.0).sigmoid()  # similarities are 2 and 0
    first = divergence(torch.stack([1 - high, high]), torch.stack([high, 1 - high]))
    assert_close(value, first / 2)


def two_by_two(factor: float) -> TextSide:
    """Make the classes a and b in the templates {} and x{}: each prompt has its own direction."""
    prompts = {"a": 7 * UNIT[0], "xa": UNIT[1], "b": UNIT[2], "xb": 3 * UNIT[3]}
    return TextSide(Table(prompts, factor), ("a", "b"), ("{}", "x{}"), PRETRAINED)


def test_car_ft_averages_normalised_prompts_over_classes():
    student, teacher = UNIT[[1, 0]], UNIT[[0, 2]]  # a without x, and b without x

    value = CarFt().measure(outputs(student, teacher, two_by_two(1.0)))

    near = torch.tensor(0.5).sqrt().sigmoid()  # cosine with the mean of two directions
    first = divergence(torch.stack([near, 1 - near]), torch.stack([1 - near, near]))
    assert_close(value, first / 2)  # the second image shows no x to either


def test_car_ft_refuses_a_single_template():
    side = TextSide(TinyText(), ("a", "b"), ("{}",), PRETRAINED)

    with pytest.raises(cfft.ConfigError, match=r"--prompts gives one.*--prompts openai"):
        CarFt().measure(outputs(UNIT[:2], UNIT[:2], side))


def test_text_similarity_averages_normalised_prompts_over_templates():
    student, teacher = UNIT[[0, 0]], UNIT[[3, 1]]  # a, and b with x or a with x

    value = TextSimilarity().measure(outputs(student, teacher, two_by_two(3.0)))

    near = (3 * torch.tensor(0.5).sqrt()).sigmoid()
    first = divergence(torch.stack([1 - near, near]), torch.stack([near, 1 - near]))
    assert_close(value, first / 2)


def test_text_similarity_is_multiplied_by_the_squared_temperature():
    student, teacher = UNIT[[0, 1]], UNIT[[1, 1]]
    tempered = TextSimilarity(temperature=4.0).measure(outputs(student, teacher, two_by_two(4.0)))
    plain = TextSimilarity().measure(outputs(student, teacher, two_by_two(1.0)))

    assert_close(tempered, 16 * plain)


def test_lipsum_ft_is_half_the_mean_squared_difference_of_similarities():
    tower = Table({"a": UNIT[0]}, 3.0)
    tower.words = ("a",)
    side = TextSide(tower, ("x",), ("{}",), PRETRAINED)
    student, teacher = UNIT[[0, 1]], UNIT[[0, 0]]  # similarities 3, 0 and 3, 3

    value = LipsumFt(texts=5, length=1).measure(outputs(student, teacher, side))

    assert_close(value, torch.tensor((0 + 9) / 2 / 2))


class Listening(TinyText):
    """Remember what was asked for."""

    def forward(self, prompts: Sequence[str]) -> Tensor:
        self.asked = list(prompts)
        return super().forward(prompts)


def asked_for(loss: LipsumFt, seed: int) -> list[str]:
    tower = Listening()
    text = TextSide(tower, ("a", "b"), ("{}",), PRETRAINED).at(torch.Generator().manual_seed(seed))
    loss.measure(attrs.evolve(outputs(UNIT[:2], UNIT[:2], tiny_text_side(PRETRAINED)), text=text))
    return tower.asked


def test_lipsum_ft_draws_other_texts_in_each_step():
    loss = LipsumFt(texts=4, length=3)

    first, again, other = (asked_for(loss, seed) for seed in (1, 1, 2))

    assert first == again != other
    assert [len(text.split()) for text in first] == [3, 3, 3, 3]


@pytest.mark.parametrize("loss", [CarFt(), LipsumFt(), TextSimilarity()])
def test_a_student_that_agrees_with_its_teacher_has_no_loss(loss: cfft.AuxLoss):
    features = torch.rand(2, 8, generator=rng())

    value = loss.measure(outputs(features, features, tiny_text_side(PRETRAINED)))

    assert_close(value, torch.tensor(0.0))


@pytest.mark.parametrize("loss", [CarFt(), LipsumFt(), TextSimilarity()])
def test_half_precision_features_are_compared_in_float32(loss: cfft.AuxLoss):
    student, teacher = torch.rand(2, 2, 8, generator=rng()).bfloat16()
    exact = loss.measure(outputs(student.float(), teacher.float(), tiny_text_side(PRETRAINED)))

    with torch.autocast("cpu", torch.bfloat16):
        value = loss.measure(outputs(student, teacher, tiny_text_side(PRETRAINED)))

    assert_close(value, exact)


@pytest.mark.parametrize("loss", [CarFt(), LipsumFt(), TextSimilarity()])
def test_the_length_of_features_does_not_count(loss: cfft.AuxLoss):
    student, teacher = torch.rand(2, 2, 8, generator=rng())

    plain = loss.measure(outputs(student, teacher, tiny_text_side(PRETRAINED)))
    longer = loss.measure(outputs(3 * student, teacher / 2, tiny_text_side(PRETRAINED)))

    assert_close(plain, longer)


def captions(average_factor: float) -> TextSide:
    """Make captions "a" and "b" along unit vectors: factor 1, and another for the average."""
    directions = {"a": UNIT[0], "b": UNIT[1]}
    side = TextSide(Table(directions, 1.0), ("a", "b"), ("{}",), TRAINED)
    side.averaged = Table(directions, average_factor).requires_grad_(False)
    return side


def test_similarity_kd_sums_both_directions():
    student, teacher = torch.stack([UNIT[0], UNIT[0]]), UNIT[:2]
    seen = outputs(student, teacher, captions(2.0), "average")

    value = SimilarityKd().measure(seen)

    sure, unsure = torch.tensor(2.0).sigmoid(), torch.tensor(1.0).sigmoid()
    taught = torch.tensor([[sure, 1 - sure], [1 - sure, sure]])  # the same in both directions
    by_image = torch.tensor([[unsure, 1 - unsure], [unsure, 1 - unsure]])
    by_caption = torch.full((2, 2), 0.5)
    expected = divergence(taught, by_image) + divergence(taught, by_caption)
    assert_close(value.detach(), expected)


def test_similarity_kd_is_zero_where_the_average_is_the_student():
    features = torch.rand(2, 8, generator=rng())

    value = SimilarityKd().measure(outputs(features, features, captions(1.0), "average"))

    assert_close(value.detach(), torch.tensor(0.0))


def test_similarity_kd_trains_both_towers_and_the_factor():
    student = torch.rand(2, 8, generator=rng()).requires_grad_()
    side = captions(5.0)

    SimilarityKd().measure(outputs(student, UNIT[:2], side, "average")).backward()

    trained = (student, *side.tower.parameters())
    assert [bool(each.grad.abs().sum() > 0) for each in trained] == [True, True, True]


def test_similarity_kd_asks_for_the_text_tower_of_its_teacher():
    passes = {"student.view", "teacher.view", "student.text"}

    assert SimilarityKd().needs == passes | {"average.text"}
    assert SimilarityKd(text="pretrained").needs == passes | {"teacher.text"}


@pytest.mark.parametrize("text", ["averaged", "pretrained"])
def test_similarity_kd_keeps_the_rules_with_either_tower(text: str):
    check_strategy(SimilarityKd, {"text": text})


def weighed(matrix: Tensor) -> StepOutputs:
    encoded = Encoded(torch.zeros(2, 8), torch.zeros(2, 3))
    return StepOutputs(BATCH, encoded, weights={"head.weight": matrix, "head.bias": matrix[0]})


def test_orthogonality_follows_from_the_singular_values():
    columns = torch.linalg.qr(torch.rand(5, 2, generator=rng(), dtype=torch.float64)).Q.float()
    matrix = columns @ torch.diag(torch.tensor([2.0, 0.5]))

    value = Orthogonality(matrix="head.weight").measure(weighed(matrix))

    assert_close(value, torch.tensor(3.0**2 + 0.75**2).sqrt())  # s^2 - 1 is 3 and -3/4


def test_orthogonality_of_a_small_matrix():
    matrix = torch.tensor([[1.0, 1.0], [0.0, 2.0], [0.0, 0.0]])  # W^T W = [[1, 1], [1, 5]]

    value = Orthogonality(matrix="head.weight").measure(weighed(matrix))

    assert_close(value, torch.tensor(18.0).sqrt())


def test_orthogonal_columns_have_neither_loss_nor_gradient():
    matrix = torch.eye(4, 2).requires_grad_()

    value = Orthogonality(matrix="head.weight").measure(weighed(matrix))
    value.backward()

    assert_close(value.detach(), torch.tensor(0.0))
    assert_close(matrix.grad, torch.zeros(4, 2))


def test_orthogonality_names_the_matrices_of_a_student_without_the_one_asked_for():
    with pytest.raises(cfft.ConfigError, match=r"'orthogonality': unknown matrix .*head\.weight"):
        Orthogonality().measure(weighed(torch.eye(3)))


def test_orthogonality_is_exact_under_autocast():
    matrix = torch.randn(6, 4, generator=rng())

    exact = Orthogonality(matrix="head.weight").measure(weighed(matrix))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = Orthogonality(matrix="head.weight").measure(weighed(matrix))

    assert_close(value, exact, rtol=0, atol=0)


def test_orthogonality_is_exact_for_weights_of_half_precision():
    half = torch.eye(3, dtype=torch.bfloat16) * 1.5

    value = Orthogonality(matrix="head.weight").measure(weighed(half))

    assert_close(value, torch.tensor(3 * 1.25**2).sqrt())
