import pytest
import torch
from torch.testing import assert_close

import cfft


def test_a_normalised_head_looks_at_directions_only():
    head = cfft.Head(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0.0, 0.5]), True)
    logits = head(torch.tensor([[3.0, 4.0], [30.0, 40.0]]))
    assert_close(logits, torch.tensor([[1.2, 1.3], [1.2, 1.3]]))


def test_a_plain_head_looks_at_features_as_they_are():
    head = cfft.Head(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0.0, 0.5]), False)
    assert_close(head(torch.tensor([[3.0, 4.0]])), torch.tensor([[6.0, 4.5]]))


def test_a_head_does_not_share_memory_with_what_it_was_made_from():
    weight = torch.zeros(2, 2)
    head = cfft.Head(weight, torch.zeros(2), normalised=False)
    weight.fill_(1.0)
    assert_close(head(torch.ones(1, 2)), torch.zeros(1, 2))


def test_a_head_with_a_bias_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"bias \[K\], got \[2, 3\] and \[3\]"):
        cfft.Head(torch.zeros(2, 3), torch.zeros(3), normalised=True)


def test_a_head_for_other_features_is_refused(classifier):
    head = cfft.Head(torch.zeros(4, 5), torch.zeros(4), normalised=True)
    with pytest.raises(cfft.WeightsError, match="reads features of length 5, the encoder gives"):
        cfft.Classifier(classifier.encoder, head)


def test_weights_have_the_names_of_the_tower_and_the_head(classifier):
    tower = classifier.encoder.tower.state_dict()
    expected = {f"visual.{key}" for key in tower} | {"head.weight", "head.bias"}
    assert set(classifier.weights()) == expected


def test_loaded_weights_give_the_same_logits(classifier, images):
    weights = {key: value.clone() for key, value in classifier.weights().items()}
    expected = classifier(images).logits
    with torch.no_grad():
        classifier.encoder.tower.apply(lambda part: [p.zero_() for p in part.parameters()])
    classifier.load_weights(weights)
    assert_close(classifier(images).logits, expected, rtol=0, atol=0)


def test_weights_that_lack_a_name_are_refused(classifier):
    weights = classifier.weights()
    del weights["head.bias"]
    with pytest.raises(cfft.WeightsError, match=r"another model: 1 missing \(head\.bias\)$"):
        classifier.load_weights(weights)


def test_weights_with_a_surplus_name_or_another_shape_are_refused(classifier):
    weights = classifier.weights() | {"text.x": torch.zeros(1), "head.bias": torch.zeros(9)}
    with pytest.raises(
        cfft.WeightsError,
        match=r"\(head\.bias is \[9\] instead of \[4\]\); 1 unexpected \(text\.x\)",
    ):
        classifier.load_weights(weights)


def test_refused_weights_change_nothing(classifier, images):
    before = classifier(images).logits
    weights = {key: torch.zeros_like(value) for key, value in classifier.weights().items()}
    with pytest.raises(cfft.WeightsError):
        classifier.load_weights(weights | {"surplus": torch.zeros(1)})
    assert_close(classifier(images).logits, before, rtol=0, atol=0)
