import pytest
import torch

from cfft import (
    Batch,
    Counterfactual,
    Encoded,
    MaskSelection,
    StepOutputs,
    TeacherOutputs,
    ViewOutputs,
)
from cfft.plugin.params import declaration
from cfft_losses import FeatureMse, LogitKl, WiseKd

BATCH = Batch(torch.zeros(2, 3, 8, 12), torch.tensor([0, 1]))
STUDENT = Encoded(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 0.0], [2.0, 0.0]]))
TEACHER = Encoded(torch.tensor([[1.0, 0.0], [0.0, 4.0]]), torch.tensor([[1.0, 0.0], [2.0, 0.0]]))
OTHER = Encoded(torch.full((2, 2), 9.0), torch.tensor([[0.0, 5.0], [0.0, 5.0]]))


def outputs(teacher: str, teaching: TeacherOutputs, student: Encoded = STUDENT) -> StepOutputs:
    """Let the student say `student` on counterfactual images and OTHER on the originals."""
    nothing = MaskSelection(torch.zeros(2, 2, 3, dtype=torch.bool))
    view = ViewOutputs(nothing, Counterfactual(BATCH.images), student)
    return StepOutputs(BATCH, OTHER, {"counterfactual": view}, {teacher: teaching})


def test_feature_mse_is_the_mean_over_batch_and_features():
    loss = FeatureMse(scale="raw")

    value = loss.measure(outputs("clip", TeacherOutputs(views={"counterfactual": TEACHER})))

    torch.testing.assert_close(value, torch.tensor((0 + 4 + 9 + 0) / 4))


def test_relative_feature_mse_is_divided_by_the_teachers_variance():
    teaching = TeacherOutputs(
        views={"counterfactual": TEACHER}, feature_variance=torch.tensor(13.0)
    )

    value = FeatureMse(scale="relative").measure(outputs("clip", teaching))

    torch.testing.assert_close(value, torch.tensor(0.25))


def test_relative_feature_mse_without_a_variance_says_what_is_missing():
    with pytest.raises(ValueError, match=r"teacher\.feature_variance was not computed"):
        FeatureMse(scale="relative").measure(
            outputs("clip", TeacherOutputs(views={"counterfactual": TEACHER}))
        )


@pytest.mark.parametrize(
    ("values", "backbone", "scale", "weight"),
    [
        ({}, "open_clip", "raw", 30.0),
        ({}, "timm", "relative", 6.0),
        ({"scale": "raw"}, "timm", "raw", 30.0),
        ({"scale": "relative"}, "open_clip", "relative", 6.0),
        ({"weight": 2}, "open_clip", "raw", 2.0),
    ],
)
def test_feature_mse_scales_and_weighs_by_backbone(values, backbone, scale, weight):
    loss = declaration(FeatureMse).build(values, {"backbone": backbone})

    assert (loss.scale, loss.weight) == (scale, weight)


def test_feature_mse_asks_for_a_variance_only_where_it_divides_by_it():
    passes = {"student.view", "teacher.view"}

    assert FeatureMse(scale="raw").needs == passes
    assert FeatureMse(scale="relative").needs == passes | {"teacher.feature_variance"}


def test_logit_kl_at_temperature_one_is_the_mean_divergence_of_the_batch():
    loss = LogitKl(view="counterfactual", temperature=1.0)

    value = loss.measure(outputs("clip", TeacherOutputs(views={"counterfactual": TEACHER})))

    share = torch.tensor(1.0).sigmoid()
    first = share * (share / 0.5).log() + (1 - share) * ((1 - share) / 0.5).log()
    torch.testing.assert_close(value, first / 2)


def test_logit_kl_is_multiplied_by_the_squared_temperature():
    tempered = Encoded(STUDENT.features, STUDENT.logits * 10)
    teaching = TeacherOutputs(
        views={"counterfactual": Encoded(TEACHER.features, TEACHER.logits * 10)}
    )
    plain = TeacherOutputs(views={"counterfactual": TEACHER})

    hot = LogitKl(view="counterfactual").measure(outputs("clip", teaching, tempered))
    cold = LogitKl(view="counterfactual", temperature=1.0).measure(outputs("clip", plain))

    torch.testing.assert_close(hot, 100 * cold)


def test_wise_kd_is_logit_kl_on_original_images_by_the_wise_teacher():
    teaching = TeacherOutputs(original=TEACHER)

    distilled = WiseKd().measure(outputs("wise", teaching))
    general = LogitKl(teacher="wise").measure(outputs("wise", teaching))

    torch.testing.assert_close(distilled, general)
    assert (WiseKd().temperature, WiseKd().weight) == (10.0, 1.0)


def test_logit_kl_asks_for_the_view_that_it_compares():
    assert LogitKl().view == "original"
    assert LogitKl().needs == {"student.view", "teacher.view"}


@pytest.mark.parametrize("loss", [FeatureMse(scale="raw"), LogitKl(view="counterfactual")])
def test_a_student_that_agrees_with_its_teacher_has_no_loss(loss):
    value = loss.measure(outputs("clip", TeacherOutputs(views={"counterfactual": STUDENT})))

    torch.testing.assert_close(value, torch.tensor(0.0))


def test_a_pass_that_was_not_made_is_named():
    with pytest.raises(ValueError, match=r"teacher\.view was not computed.*`needs`"):
        FeatureMse(scale="raw").measure(outputs("clip", TeacherOutputs(original=TEACHER)))
