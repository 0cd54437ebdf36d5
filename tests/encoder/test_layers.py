"""Weights of both libraries' towers under common names."""

import pytest
import torch
from torch.testing import assert_close

import cfft

ROLES = ["attention-in", "attention-out", "mlp-in", "mlp-out"]


def names_of(tower):
    return {id(parameter): name for name, parameter in tower.named_parameters()}


def test_a_block_has_its_four_weights_in_the_order_of_use(classifier):
    blocks = classifier.encoder.layers().blocks

    assert [[weight.role for weight in block.weights] for block in blocks] == [ROLES] * 3
    shapes = [tuple(weight.value.shape) for weight in blocks[0].weights]
    assert shapes == [(96, 32), (32, 32), (64, 32), (32, 64)]
    assert [weight.stacked for weight in blocks[0].weights] == [3, 1, 1, 1]


@pytest.mark.parametrize(
    ("library", "weights", "biases"),
    [
        (
            "open_clip",
            ["attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"],
            ["attn.in_proj_bias", "attn.out_proj.bias", "mlp.c_fc.bias", "mlp.c_proj.bias"],
        ),
        (
            "timm",
            ["attn.qkv.weight", "attn.proj.weight", "mlp.fc1.weight", "mlp.fc2.weight"],
            ["attn.qkv.bias", "attn.proj.bias", "mlp.fc1.bias", "mlp.fc2.bias"],
        ),
    ],
)
def test_names_lead_to_the_librarys_own_parameters(
    request, preprocessing, library, weights, biases
):
    tower = request.getfixturevalue(f"{library}_tower")()
    (*_, block) = cfft.Encoder(tower, preprocessing).layers().blocks
    names = names_of(block.module)

    assert [names[id(each.value)] for each in block.weights] == weights
    assert [names[id(getattr(each.module, each.bias))] for each in block.weights] == biases


def test_a_layer_without_a_bias_names_none(timm_tower, preprocessing):
    block, *_ = cfft.Encoder(timm_tower(qkv_bias=False), preprocessing).layers().blocks

    assert block.weights[0].bias is None


def test_blocks_norms_and_output_name_different_parameters_but_for_the_norms(classifier):
    layers = classifier.encoder.layers()
    within = {id(p) for block in layers.blocks for p in block.module.parameters()}
    norms = {id(p) for norm in layers.norms for p in norm.parameters()}
    output = {id(p) for p in layers.output}

    assert within.isdisjoint(output)
    assert norms - within - output or norms & output  # those outside of blocks are there as well
    assert all(isinstance(norm, torch.nn.LayerNorm) for norm in layers.norms)


@pytest.mark.parametrize(
    ("library", "norms", "output"),
    [
        ("open_clip", 1 + 3 * 2 + 1, ["ln_post.weight", "ln_post.bias", "proj"]),
        ("timm", 3 * 2 + 1, ["norm.weight", "norm.bias"]),
    ],
)
def test_norms_within_and_outside_of_blocks_are_found(
    request, preprocessing, library, norms, output
):
    tower = request.getfixturevalue(f"{library}_tower")()
    layers = cfft.Encoder(tower, preprocessing).layers()

    assert len(layers.norms) == norms
    assert [names_of(tower)[id(parameter)] for parameter in layers.output] == output


def test_normalised_queries_and_keys_count_as_norms(timm_tower, preprocessing):
    layers = cfft.Encoder(timm_tower(qk_norm=True), preprocessing).layers()

    assert len(layers.norms) == 3 * 4 + 1


def test_a_changed_weight_of_a_block_changes_the_features(classifier, images):
    before = classifier(images).features

    with torch.no_grad():
        classifier.encoder.layers().blocks[0].weights[0].value.mul_(0.5)

    with pytest.raises(AssertionError):
        assert_close(classifier(images).features, before)
