import attrs
import pytest
import torch
from torch.testing import assert_close

import cfft
import cfft_cams
from cfft.plugin.params import declaration
from cfft.step.engine import TrainingStep, View
from cfft.step.passes import CleanPass, FrozenTeacher
from cfft.testing import tiny_batch, tiny_classifier
from cfft_cams import GradCam, Relevance
from cfft_fills import NoFill
from cfft_losses import FeatureMse
from cfft_masks import ObjectMask
from cfft_tasks import CrossEntropy


@attrs.frozen
class SeenByMaps:
    """The part of the student's view that a map reads."""

    capture: cfft.Capture
    clean: cfft.Encoded


@pytest.fixture
def batch():
    draws = torch.Generator().manual_seed(1)
    return cfft.Batch(torch.rand(2, 3, 16, 24, generator=draws), torch.tensor([3, 1]))


@pytest.fixture
def view(batch):
    from open_clip.transformer import VisionTransformer

    draws = torch.Generator().manual_seed(2)
    tower = VisionTransformer((16, 24), 8, 16, 2, 2, 2.0, output_dim=8)
    preprocessing = cfft.Preprocessing((16, 24), 16, "bicubic", (0.5,) * 3, (0.5,) * 3)
    head = cfft.Head(torch.randn(4, 8, generator=draws), torch.zeros(4), normalised=True)
    capture = cfft.Capture()
    student = cfft.Classifier(cfft.Encoder(tower, preprocessing), head)
    return SeenByMaps(capture, student(batch.images, capture=capture))


def test_both_maps_are_offered_by_name():
    names = [declaration(cam).name for cam in cfft_cams.cfft_cams()]
    assert names == ["relevance", "gradcam"]


def test_relevance_uses_all_layers_unless_told_otherwise(batch, view):
    scores = cfft.relevance_scores(view.capture, view.clean.logits, batch.labels, 0)
    assert_close(Relevance().explain(batch, view), scores)


def test_relevance_starts_at_the_layer_asked_for(batch, view):
    scores = cfft.relevance_scores(view.capture, view.clean.logits, batch.labels, 1)
    assert_close(Relevance(start_layer=1).explain(batch, view), scores)


def test_gradcam_is_the_public_function(batch, view):
    scores = cfft.grad_cam_scores(view.capture, view.clean.logits, batch.labels)
    assert_close(GradCam().explain(batch, view), scores)


def test_a_negative_start_layer_is_refused():
    with pytest.raises(
        cfft.ConfigError, match=r"cam\.relevance\.start_layer: got -1, allowed: a whole number >= 0"
    ):
        declaration(Relevance).build({"start_layer": -1}, {})


def test_a_start_layer_beyond_the_model_is_refused(batch, view):
    with pytest.raises(cfft.ConfigError, match="the encoder has 2 layers"):
        Relevance(start_layer=2).explain(batch, view)


MAPS = [Relevance, GradCam]


def frozen(seed: int) -> FrozenTeacher:
    return FrozenTeacher(tiny_classifier(seed=seed), frozenset(), frozenset())


def scores_of(cam, student, teacher: FrozenTeacher):
    rng = torch.Generator()
    return CleanPass.of(student, tiny_batch(), {"clip": teacher}).seen_by(cam, rng).scores()


@pytest.mark.parametrize("cam", MAPS)
def test_only_a_map_of_a_teacher_follows_one(cam):
    assert cam().follows is None
    assert cam(of="teacher").follows == "clip"
    assert cam(of="teacher", teacher="wise").follows == "wise"


@pytest.mark.parametrize("cam", MAPS)
def test_a_teachers_map_is_the_students_where_both_are_the_same_model(cam):
    student = tiny_classifier(seed=3)

    assert_close(
        scores_of(cam(of="teacher"), student, frozen(3)), scores_of(cam(), student, frozen(3))
    )


@pytest.mark.parametrize("cam", MAPS)
def test_a_teachers_map_stays_the_same_whatever_the_student_has_become(cam):
    first = scores_of(cam(of="teacher"), tiny_classifier(seed=3), frozen(5))
    later = scores_of(cam(of="teacher"), tiny_classifier(seed=4), frozen(5))

    assert torch.equal(first, later)
    assert_close(first, scores_of(cam(), tiny_classifier(seed=5), frozen(0)))


@pytest.mark.parametrize("cam", MAPS)
def test_a_teachers_map_leaves_no_gradient_in_either_model(cam):
    student, teacher = tiny_classifier(seed=3), frozen(5)
    step = TrainingStep(
        student,
        CrossEntropy(),
        {"feature-mse": FeatureMse(scale="raw")},
        {"clip": teacher.classifier},
        {"counterfactual": View(ObjectMask(), NoFill(), cam(of="teacher"))},
    )
    batch = tiny_batch()

    outputs = step.outputs(batch, lambda purpose: torch.Generator().manual_seed(0))

    assert not outputs.views["counterfactual"].selection.scores.requires_grad
    assert all(p.grad is None for model in (student, teacher) for p in model.parameters())
    step.objective(outputs).total.backward()
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("cam", MAPS)
def test_a_map_of_a_teacher_that_takes_no_part_is_refused_before_training(cam):
    view = View(ObjectMask(), NoFill(), cam(of="teacher", teacher="wise"))
    losses = {"feature-mse": FeatureMse(scale="raw")}

    with pytest.raises(cfft.ConfigError, match="cam: unknown teacher 'wise'"):
        TrainingStep(
            *(tiny_classifier(), CrossEntropy(), losses),
            *({"clip": tiny_classifier()}, {"counterfactual": view}),
        )
