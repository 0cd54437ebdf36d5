import pytest
import torch
from torch.testing import assert_close

import cfft

ONE_AND_FOUR = torch.tensor([[[0, 1, 0], [0, 0, 0]], [[1, 1, 0], [0, 1, 1]]]).bool()
NONE_AND_ALL = torch.tensor([[[0, 0, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 1]]]).bool()
TWO_EACH = torch.tensor([[[0, 1, 0], [0, 0, 1]], [[1, 1, 0], [0, 0, 0]]]).bool()
ALL = torch.ones(2, 2, 3).bool()


def features_and_gradients(encoder, execution, images, dropped, per_image=None):
    encoder.execution = execution
    encoder.zero_grad()
    features = encoder(images, dropped, per_image)
    features.square().mean().backward()
    return features, [parameter.grad.clone() for parameter in encoder.parameters()]


@pytest.mark.parametrize("dropped", [ONE_AND_FOUR, NONE_AND_ALL, TWO_EACH, ALL])
def test_gathering_kept_tokens_equals_masking_dropped_ones(classifier, images, dropped):
    gathered = features_and_gradients(classifier.encoder, "gather", images, dropped)
    masked = features_and_gradients(classifier.encoder, "mask", images, dropped)
    assert_close(gathered, masked, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("dropped", "per_image"), [(TWO_EACH, 2), (ALL, 6)])
def test_a_known_number_of_dropped_tokens_changes_nothing(classifier, images, dropped, per_image):
    known = features_and_gradients(classifier.encoder, "auto", images, dropped, per_image)
    masked = features_and_gradients(classifier.encoder, "mask", images, dropped)
    assert_close(known, masked, rtol=1e-5, atol=1e-5)


def test_an_image_does_not_depend_on_what_its_neighbour_drops(classifier, images):
    both = classifier.encoder(images, ONE_AND_FOUR)
    alone = classifier.encoder(images[:1], ONE_AND_FOUR[:1])
    assert_close(both[:1], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("execution", ["gather", "mask"])
def test_pixels_of_dropped_tokens_do_not_matter(classifier, images, execution):
    classifier.encoder.execution = execution
    pixels = ONE_AND_FOUR.repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)
    blotted = images.masked_fill(pixels[:, None], 7.0)
    features = classifier.encoder(blotted, ONE_AND_FOUR)
    assert_close(features, classifier.encoder(images, ONE_AND_FOUR), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("execution", ["gather", "mask"])
def test_dropping_nothing_changes_nothing(classifier, images, execution):
    classifier.encoder.execution = execution
    dropped = torch.zeros(2, 2, 3, dtype=torch.bool)
    assert_close(classifier.encoder(images, dropped), classifier.encoder(images))


def test_dropped_tokens_of_another_grid_are_refused_with_both_shapes(classifier, images):
    wrong = torch.zeros(2, 3, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"bool \[2, 2, 3\] .*got torch.bool \[2, 3, 2\]"):
        classifier(images, wrong)


def test_a_number_of_dropped_tokens_beyond_the_grid_is_refused(classifier, images):
    with pytest.raises(ValueError, match=r"dropped_per_image must be 0\.\.6.*got 7"):
        classifier(images, TWO_EACH, 7)


def test_a_map_of_dropped_tokens_is_refused(classifier, images):
    with pytest.raises(ValueError, match="either dropped or capture"):
        classifier(images, TWO_EACH, capture=cfft.Capture())
