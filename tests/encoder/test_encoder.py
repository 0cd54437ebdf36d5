import copy

import open_clip.transformer as oc
import pytest
import torch
from timm.layers import SwiGLU
from torch import nn
from torch.func import functional_call
from torch.testing import assert_close

import cfft


def normalised(images):
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.4])
    return (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"act_layer": oc.QuickGELU},
        {"norm_layer": oc.LayerNormFp32},
        {"ls_init_value": 0.1},
        {"no_ln_pre": True},
        {"final_ln_after_pool": True},
        {"layers": 1},
    ],
    ids=str,
)
def test_features_are_those_of_the_open_clip_tower(changes, open_clip_tower, images, preprocessing):
    tower = open_clip_tower(**changes)
    features = cfft.Encoder(tower, preprocessing)(images)
    assert_close(features, tower(normalised(images)), rtol=1e-5, atol=1e-5)


def test_features_of_an_open_clip_tower_without_projection_are_as_wide_as_it(
    open_clip_tower, images, preprocessing
):
    tower = open_clip_tower()
    tower.proj = None
    encoder = cfft.Encoder(tower, preprocessing)
    assert encoder.dim == 32
    assert_close(encoder(images), tower(normalised(images)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"init_values": 0.1},
        {"qk_norm": True},
        {"qkv_bias": False},
        {"reg_tokens": 2},
        {"reg_tokens": 2, "no_embed_class": True},
        {"pre_norm": True},
        {"fc_norm": True},
        {"final_norm": False},
        {"scale_attn_norm": True, "scale_mlp_norm": True},
        {"dynamic_img_size": True},
        {"pos_embed": "none"},
        {"mlp_layer": SwiGLU},
        {"num_classes": 5},
    ],
    ids=str,
)
def test_features_are_those_of_the_timm_tower(changes, timm_tower, images, preprocessing):
    tower = timm_tower(**changes)
    features = cfft.Encoder(tower, preprocessing)(images)
    own = tower.forward_head(tower.forward_features(normalised(images)), pre_logits=True)
    assert_close(features, own, rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_the_tower(open_clip_tower, images, preprocessing):
    tower = open_clip_tower(ls_init_value=0.5)
    parameters = list(tower.parameters())
    own = torch.autograd.grad(tower(normalised(images)).square().sum(), parameters)
    features = cfft.Encoder(tower, preprocessing)(images)
    assert_close(
        torch.autograd.grad(features.square().sum(), parameters), own, rtol=1e-4, atol=1e-4
    )


def test_grid_patch_and_dim_are_those_of_the_tower(classifier):
    encoder = classifier.encoder
    assert (encoder.grid, encoder.patch) == ((2, 3), (8, 8))
    assert encoder.dim == classifier.head.weight.shape[1]


def test_train_and_eval_mode_agree(classifier, images):
    trained = classifier.train()(images).logits
    assert_close(classifier.eval()(images).logits, trained, rtol=0, atol=0)


def test_capturing_changes_nothing(classifier, images):
    captured = classifier(images, capture=cfft.Capture())
    assert_close(captured.logits, classifier(images).logits, rtol=0, atol=0)


def test_a_capture_holds_every_layer_and_the_class_query_of_the_last(classifier, images):
    capture = cfft.Capture()
    classifier(images, capture=capture)
    tokens = capture.prefix_tokens + 6
    assert [tuple(layer.queries.shape) for layer in capture.layers] == [
        (2, 4, tokens, 8),
        (2, 4, tokens, 8),
        (2, 4, 1, 8),
    ]
    assert capture.layers[-1].keys.shape == (2, 4, tokens, 8)
    assert capture.layers[-1].normed.shape == (2, tokens, 32)


def test_a_captured_attention_map_gives_what_the_layer_attended_to(classifier, images):
    capture = cfft.Capture()
    classifier(images, capture=capture)
    layer = capture.layers[0]
    assert_close(layer.attention() @ layer.values, layer.attended, rtol=1e-5, atol=1e-5)


def test_a_capture_is_emptied_by_the_next_pass(classifier, images):
    capture = cfft.Capture()
    classifier(images, capture=capture)
    classifier(images, capture=capture)
    assert len(capture.layers) == 3


def test_parameters_are_read_when_they_are_used(classifier, images):
    other = copy.deepcopy(classifier)
    with torch.no_grad():
        nn.utils.vector_to_parameters(
            1.1 * nn.utils.parameters_to_vector(other.parameters()), other.parameters()
        )
    called = functional_call(classifier, dict(other.named_parameters()), (images,))
    assert_close(called.logits, other(images).logits)


def test_a_copy_is_independent_of_its_original(classifier, images):
    before = classifier(images).logits
    copied = copy.deepcopy(classifier)
    with torch.no_grad():
        next(copied.encoder.tower.parameters()).zero_()
    assert_close(classifier(images).logits, before, rtol=0, atol=0)
    assert not torch.equal(copied(images).logits, before)


def test_gradients_reach_every_parameter(classifier, images):
    classifier(images).logits.square().sum().backward()
    without = [name for name, p in classifier.named_parameters() if p.grad is None]
    assert without == []


def test_logits_stay_exact_under_autocast(classifier, images):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        encoded = classifier(images)
    assert encoded.logits.dtype == torch.float32
    assert_close(encoded.logits, classifier(images).logits, rtol=0.1, atol=0.1)


def test_mean_and_std_are_no_part_of_the_state(classifier):
    assert set(classifier.encoder.state_dict()) == {
        f"tower.{key}" for key in classifier.encoder.tower.state_dict()
    }


@pytest.mark.parametrize("shape", [(2, 3, 24, 16), (2, 1, 16, 24), (3, 16, 24)], ids=str)
def test_images_of_another_shape_are_refused_with_both_shapes(shape, classifier):
    got = ", ".join(map(str, shape))
    with pytest.raises(ValueError, match=rf"images must be \[B, 3, 16, 24\], got \[{got}\]"):
        classifier(torch.rand(shape))


def test_preprocessing_of_another_size_is_refused(open_clip_tower):
    other = cfft.Preprocessing((16, 16), 16, "bicubic", (0, 0, 0), (1, 1, 1))
    with pytest.raises(
        cfft.WeightsError, match=r"\(16, 24\) pixels, its preprocessing .*\(16, 16\)"
    ):
        cfft.Encoder(open_clip_tower(), other)
