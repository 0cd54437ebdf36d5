"""Weights with adapters, which are torch's parametrizations."""

from contextlib import nullcontext
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import cached, register_parametrization
from torch.testing import assert_close

import cfft


class Doubled(nn.Module):
    """Multiply a weight by a trained factor, which starts at 2."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, weight):
        return weight * self.factor


@pytest.fixture
def adapted(classifier):
    """Put adapters on a weight of the encoder and on the head's."""
    model = deepcopy(classifier)
    weight = model.encoder.layers().blocks[1].weights[2]
    register_parametrization(weight.module, weight.weight, Doubled())
    register_parametrization(model.head, "weight", Doubled())
    return model


def test_a_model_with_adapters_has_the_names_of_a_plain_one(classifier, adapted):
    assert set(adapted.weights()) == set(classifier.weights())
    assert set(adapted.named_weights()) == {name for name, _ in classifier.named_parameters()}
    assert (adapted.is_adapted, classifier.is_adapted) == (True, False)


def test_computed_weights_give_a_plain_model_the_same_features(classifier, adapted, images):
    classifier.load_weights(adapted.weights())

    assert_close(classifier(images).features, adapted(images).features, rtol=0, atol=0)
    assert_close(classifier(images).logits, adapted(images).logits, rtol=0, atol=0)


def test_gradients_of_named_weights_reach_the_adapters(adapted):
    weights = adapted.named_weights()
    original = adapted.head.parametrizations.weight.original

    weights["head.weight"].sum().backward()

    assert_close(adapted.head.parametrizations.weight[0].factor.grad, original.sum())
    assert_close(adapted.head.bias, weights["head.bias"], rtol=0, atol=0)


def test_weights_computed_once_for_two_passes_have_the_same_gradients(adapted, images):
    gradients = []
    for once in (nullcontext(), cached()):
        adapted.zero_grad()
        with once:
            features = [adapted(images).logits, adapted(images[:1]).logits]
        sum(each.square().mean() for each in features).backward()
        gradients.append({name: p.grad.clone() for name, p in adapted.named_parameters()})

    assert_close(gradients[0], gradients[1])


def test_adapters_and_weights_restore_a_model_with_adapters(adapted, images):
    with torch.no_grad():
        for parameter in adapted.parameters():
            parameter.add_(0.01)
    other = deepcopy(adapted)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()

    other.load_adapters(adapted.weights(), adapted.adapters())

    assert_close(other(images).logits, adapted(images).logits, rtol=0, atol=0)
    assert_close(other.state_dict(), adapted.state_dict(), rtol=0, atol=0)


def test_adapters_of_another_model_are_refused(classifier, adapted):
    with pytest.raises(cfft.WeightsError, match="adapters of another model: 4 missing"):
        adapted.load_adapters(classifier.weights(), classifier.adapters())


def test_a_model_with_adapters_takes_no_plain_weights(classifier, adapted):
    with pytest.raises(cfft.WeightsError, match="cannot be loaded into a model with adapters"):
        adapted.load_weights(classifier.weights())


def test_a_weight_given_to_a_head_stands_under_its_adapter(adapted):
    adapted.head.take_weight(torch.ones_like(adapted.head.weight))

    assert_close(adapted.head.weight, torch.full_like(adapted.head.weight, 2.0))
