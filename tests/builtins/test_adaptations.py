"""Adaptations of both libraries' towers: identity, folding, what is trained."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import cfft
from cfft.plugin.params import declaration
from cfft.testing import check_strategy
from cfft_adaptations import AllWeights, HeadAlone, LastBlocks, Lora, Norms, RAdapter

DROPPED = torch.tensor([[[0, 1, 0], [0, 0, 0]], [[1, 1, 0], [0, 1, 1]]]).bool()
WITH_ADAPTERS = [
    Lora(),
    Lora(targets="all", rank=2, alpha=6, train_head=False),
    RAdapter(),
    RAdapter(rank=2, head_weights="frozen"),
    RAdapter(rescale=1.0, drop=0.0, head_weights="trained"),
]
ALL = [AllWeights(), HeadAlone(), LastBlocks(), Norms(), Norms(train_head=False), *WITH_ADAPTERS]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def spelled(adaptation):
    return repr(adaptation).replace("'", "")


@pytest.fixture
def images():
    return torch.rand(2, 3, 16, 24, generator=rng(1))


def tower_of(library):
    if library == "open_clip":
        from open_clip.transformer import VisionTransformer

        sizes = {"width": 32, "layers": 3, "heads": 4, "mlp_ratio": 2.0, "output_dim": 12}
        return VisionTransformer((16, 24), 8, ls_init_value=0.5, **sizes)
    from timm.models.vision_transformer import VisionTransformer

    sizes = {"embed_dim": 32, "depth": 3, "num_heads": 4, "mlp_ratio": 2.0, "num_classes": 0}
    return VisionTransformer((16, 24), 8, reg_tokens=2, no_embed_class=True, qk_norm=True, **sizes)


@pytest.fixture(params=["open_clip", "timm"])
def classifier(request):
    """Give every parameter a value of its own: none is 0 or 1."""
    tower = tower_of(request.param)
    with torch.no_grad():
        for parameter in tower.parameters():
            noise = torch.randn(parameter.shape, generator=rng(3))
            parameter.copy_(parameter.mean().round() + 0.2 * noise)
    preprocessing = cfft.Preprocessing((16, 24), 24, "bicubic", (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    encoder = cfft.Encoder(tower, preprocessing)
    weight = torch.randn(4, encoder.dim, generator=rng(2))
    return cfft.Classifier(encoder, cfft.Head(weight, torch.zeros(4), normalised=True))


def outputs(model, *inputs):
    encoded = model(*inputs)
    return encoded.features, encoded.logits


def attached(classifier, adaptation):
    model = deepcopy(classifier)
    return model, list(adaptation.attach(model, rng()))


def train(model, trained, adaptation, images, steps=3):
    """Take optimiser steps, the other weights being frozen."""
    own = {id(parameter) for parameter in trained}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in own)
    optimizer = torch.optim.AdamW(trained, lr=0.02, weight_decay=0.1)
    for step in range(steps):
        adaptation.begin_step(model, rng(step))
        encoded = model(images)
        (encoded.features.square().mean() + encoded.logits.square().mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
    adaptation.end_training(model)


def folded(classifier, model):
    plain = deepcopy(classifier)
    plain.load_weights(model.weights())
    return plain


@pytest.mark.parametrize("adaptation", ALL, ids=spelled)
def test_every_setting_keeps_the_rules_of_its_kind(adaptation):
    cls = type(adaptation)
    values = {p.name: getattr(adaptation, p.name) for p in declaration(cls).params}

    check_strategy(cls, {n: "none" if v is None else v for n, v in values.items()})


@pytest.mark.parametrize("adaptation", ALL, ids=spelled)
def test_attached_and_untrained_it_changes_no_output(classifier, images, adaptation):
    model, _ = attached(classifier, adaptation)

    before = outputs(classifier, images)
    assert_close(outputs(model, images), before, rtol=0, atol=0)
    adaptation.begin_step(model, rng())
    assert_close(outputs(model, images), before, rtol=0, atol=0)


@pytest.mark.parametrize("adaptation", WITH_ADAPTERS, ids=spelled)
def test_folded_weights_give_the_features_of_the_adapters(classifier, images, adaptation):
    model, trained = attached(classifier, adaptation)
    train(model, trained, adaptation, images)
    plain = folded(classifier, model)

    changes = (model(images).features - classifier(images).features).abs().max()
    assert changes > 0.01
    assert set(plain.weights()) == set(model.weights())
    expected, dropped = outputs(model, images), outputs(model, images, DROPPED)
    assert_close(outputs(plain, images), expected, rtol=0, atol=1e-5)
    assert_close(outputs(plain, images, DROPPED), dropped, rtol=0, atol=1e-5)


@pytest.mark.parametrize("adaptation", WITH_ADAPTERS, ids=spelled)
def test_folded_weights_give_the_map_of_the_adapters(classifier, images, adaptation):
    model, trained = attached(classifier, adaptation)
    train(model, trained, adaptation, images)

    maps = [relevance(each, images) for each in (folded(classifier, model), model)]

    assert_close(maps[0], maps[1], rtol=0, atol=1e-5)


def relevance(model, images):
    capture = cfft.Capture()
    logits = model(images, capture=capture).logits
    return cfft.relevance_scores(capture, logits, torch.tensor([0, 1]))


@pytest.mark.parametrize("adaptation", ALL, ids=spelled)
def test_what_is_not_returned_stays_the_same_bit_by_bit(classifier, images, adaptation):
    model, trained = attached(classifier, adaptation)
    own = {id(parameter) for parameter in trained}
    frozen = {name: p for name, p in model.named_parameters() if id(p) not in own}
    before = {name: parameter.detach().clone() for name, parameter in frozen.items()}

    train(model, trained, adaptation, images)

    assert_close(frozen, {n: nn.Parameter(b) for n, b in before.items()}, rtol=0, atol=0)


@pytest.mark.parametrize("adaptation", ALL, ids=spelled)
def test_every_trained_parameter_has_an_effect(classifier, images, adaptation):
    model, trained = attached(classifier, adaptation)

    train(model, trained, adaptation, images)

    start = attached(classifier, adaptation)[1]
    same = [tuple(p.shape) for p, q in zip(trained, start, strict=True) if torch.equal(p, q)]
    assert same == []


@pytest.mark.parametrize("adaptation", WITH_ADAPTERS, ids=spelled)
def test_half_precision_computes_with_the_weights_that_are_stored(classifier, images, adaptation):
    model, trained = attached(classifier, adaptation)
    train(model, trained, adaptation, images)
    plain = folded(classifier, model)

    with torch.autocast("cpu", torch.bfloat16):
        assert_close(outputs(plain, images), outputs(model, images), rtol=0, atol=0)


def test_the_last_blocks_are_trained_with_what_follows_them(classifier):
    model, trained = attached(classifier, LastBlocks(blocks=2))
    blocks = model.encoder.layers().blocks

    own = {id(parameter) for parameter in trained}
    assert own.isdisjoint(map(id, blocks[0].module.parameters()))
    assert own.issuperset(map(id, blocks[1].module.parameters()))
    assert own.issuperset(map(id, model.encoder.layers().output))
    assert own.issuperset(map(id, model.head.parameters()))


def test_more_blocks_than_there_are_is_an_error(classifier):
    with pytest.raises(
        cfft.ConfigError, match=r"blocks is 4, but the model has 3.*--adaptation all"
    ):
        attached(classifier, LastBlocks(blocks=4))


def test_norms_trains_vectors_alone(classifier):
    _, trained = attached(classifier, Norms(train_head=False))

    assert {parameter.ndim for parameter in trained} == {1}


def linear_model():
    """Return a tiny model, and the input and output weights of its last MLP."""
    from cfft.testing import tiny_classifier

    model = tiny_classifier()
    return model, model.encoder.layers().blocks[-1].weights


def test_lora_adds_alpha_over_rank_times_b_a():
    model, weights = linear_model()
    before = weights[2].value.detach().clone()
    Lora(targets="mlp", rank=2, alpha=6).attach(model, rng())
    update = weights[2].module.parametrizations.weight[0]

    with torch.no_grad():
        update.up.fill_(0.5)

    expected = before + 6 / 2 * 0.5 * update.down[0].sum(dim=0)  # every row of B A is the same
    assert_close(weights[2].value, expected)


def test_lora_gives_queries_keys_and_values_matrices_of_their_own():
    model, weights = linear_model()
    before = weights[0].value.detach().clone()
    Lora(rank=2).attach(model, rng())
    update = weights[0].module.parametrizations.in_proj_weight[0]

    with torch.no_grad():
        update.up[1].fill_(1.0)

    changed = (weights[0].value != before).view(3, -1).any(dim=1)
    assert changed.tolist() == [False, True, False]
    assert tuple(update.down.shape) == (3, 2, 16)


def test_lora_starts_within_the_kaiming_bound():
    model, weights = linear_model()
    Lora(rank=8).attach(model, rng())
    update = weights[0].module.parametrizations.in_proj_weight[0]

    assert update.up.count_nonzero() == 0
    assert update.down.abs().max() <= 0.25  # 1 / sqrt(16)
    assert update.down.abs().max() > 0.23


def residual_parts(model):
    """Return output weights of attention and MLP of the tiny model's last block."""
    weights = model.encoder.layers().blocks[-1].weights
    return weights[1], weights[3]


def test_r_adapter_changes_weight_and_bias_as_a_layer_behind_them_would():
    model, _ = linear_model()
    attention, _ = residual_parts(model)
    plain = nn.Linear(16, 16)
    plain.load_state_dict(attention.module.state_dict())
    with torch.no_grad():
        attention.module.bias.normal_(generator=rng(5))
        plain.bias.copy_(attention.module.bias)
    RAdapter(rescale=0.5).attach(model, rng())
    adapter = attention.module.parametrizations.weight[0].adapter

    with torch.no_grad():
        adapter.normal_(generator=rng(4))

    inputs = torch.randn(5, 16, generator=rng(6))
    hidden = plain(inputs)
    assert_close(attention.module(inputs), hidden + 0.5 * hidden @ adapter.T)


def test_a_kept_adapter_is_scaled_up_and_a_dropped_one_is_the_identity():
    model, _ = linear_model()
    attention, mlp = residual_parts(model)
    before = [each.value.detach().clone() for each in (attention, mlp)]
    adaptation = RAdapter(drop=0.5)
    adaptation.attach(model, rng())
    with torch.no_grad():
        for each in (attention, mlp):
            each.module.parametrizations.weight[0].adapter.copy_(torch.eye(16))

    drawn = torch.rand(4, generator=rng(0)) >= 0.5  # two blocks with two adapters each
    adaptation.begin_step(model, rng(0))

    factors = drawn[2:] / 0.5  # (I + factor * I) W
    assert 0 < drawn.sum() < 4
    assert_close(attention.value, (1 + factors[0]) * before[0])
    assert_close(mlp.value, (1 + factors[1]) * before[1])


def test_r_adapters_head_lies_between_the_start_and_what_was_trained():
    model, _ = linear_model()
    start = model.head.weight.detach().clone()
    adaptation = RAdapter(rescale=0.25)
    adaptation.attach(model, rng())
    with torch.no_grad():
        model.head.parametrizations.weight[0].offset.fill_(1.0)

    adaptation.begin_step(model, rng())
    assert_close(model.head.weight, start + 1)
    adaptation.end_training(model)
    assert_close(model.head.weight, start + 0.25)


def test_the_average_of_full_adapters_is_the_adapter_of_the_average():
    models = [linear_model()[0] for _ in range(3)]
    for factor, model in zip((1.0, 2.0, 1.5), models, strict=True):
        RAdapter().attach(model, rng())
        with torch.no_grad():
            residual_parts(model)[1].module.parametrizations.weight[0].adapter.fill_(factor)

    averaged = cfft.average_weights(models[0].weights(), models[1].weights(), 0.5)

    assert_close(averaged, models[2].weights())
