import attrs
import pytest
import torch
from torch.testing import assert_close

import cfft
import cfft_cams
from cfft.plugin.params import declaration
from cfft_cams import GradCam, Relevance


@attrs.frozen
class View:
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
    return View(capture, student(batch.images, capture=capture))


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
