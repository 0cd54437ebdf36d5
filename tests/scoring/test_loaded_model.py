"""A model in memory: its classes, and its predictions for paths, images and tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from cfft.errors import DataError, WeightsError
from cfft.model.description import ModelDescription
from cfft.records import Preprocessing
from cfft.scoring.loaded_model import LoadedModel
from cfft.testing import tiny_classifier

HALF, QUARTER = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
PREPARED = Preprocessing((8, 12), 8, "bicubic", HALF, QUARTER)
CLASSES = ("cat", "dog", "fox")


@pytest.fixture
def model() -> LoadedModel:
    described = ModelDescription("mine", "tiny", "tiny", {}, PREPARED, True, CLASSES, "own")
    return LoadedModel(tiny_classifier(), described)


def _images(count: int) -> list[Image.Image]:
    return [
        Image.new("RGB", (30, 20), (40 * number, 200 - 40 * number, 90)) for number in range(count)
    ]


def test_probabilities_are_the_softmax_of_what_the_classifier_says(model: LoadedModel) -> None:
    images = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    logits = model.classifier(images).logits.detach()

    found = model.predict(images)

    assert_close(found.probabilities, logits.softmax(dim=1))
    assert found.labels == tuple(CLASSES[index] for index in logits.argmax(dim=1))


def test_paths_images_and_preprocessed_tensors_give_the_same(
    model: LoadedModel, tmp_path: Path
) -> None:
    images = _images(2)
    images[0].save(tmp_path / "a.png")

    mixed = model.predict([tmp_path / "a.png", images[1]])
    stacked = model.predict(torch.stack([model.preprocess(image) for image in images]))

    assert torch.equal(mixed.probabilities, stacked.probabilities)


def test_every_image_has_a_row_when_batches_are_smaller(model: LoadedModel) -> None:
    found = model.predict(_images(5), batch_size=2)

    assert_close(found.probabilities, model.predict(_images(5)).probabilities)


def test_a_transparent_image_of_another_mode_lies_on_white(model: LoadedModel) -> None:
    clear = model.preprocess(Image.new("LA", (12, 8), (0, 0)))

    assert torch.equal(clear, torch.ones(3, 8, 12))


def test_classes_of_a_suite_choose_and_order_the_probabilities(model: LoadedModel) -> None:
    images = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    two = model.for_classes("mine", "folder", ("fox", "cat"))

    probabilities = two.predict(images).probabilities

    assert two.classes == ("fox", "cat")
    assert_close(probabilities, model.classifier(images).logits.detach()[:, [2, 0]].softmax(dim=1))


def test_an_image_that_cannot_be_read_is_named(model: LoadedModel, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no image")
    with pytest.raises(DataError, match=r"bad\.png: no image in a format"):
        model.predict([tmp_path / "bad.png"])


@pytest.mark.parametrize("images", ["a.png", []])
def test_anything_but_a_list_of_images_is_refused(
    images: str | list[str], model: LoadedModel
) -> None:
    with pytest.raises(DataError, match="predict takes a list of"):
        model.predict(images)


def test_integers_are_refused_as_they_are_not_in_0_to_1(model: LoadedModel) -> None:
    with pytest.raises(DataError, match=r"images must be float .* got torch.uint8"):
        model.predict(torch.zeros(1, 3, 8, 12, dtype=torch.uint8))


def test_pixels_beyond_1_are_refused(model: LoadedModel) -> None:
    with pytest.raises(DataError, match="got 0 to 255: divide by 255"):
        model.predict(torch.tensor([0.0, 255.0]).repeat(1, 3, 8, 6))


def test_a_list_of_anything_but_images_is_refused(model: LoadedModel) -> None:
    with pytest.raises(DataError, match="the list has a Tensor"):
        model.predict([torch.zeros(3, 8, 12)])


def test_doubles_are_predicted_as_floats(model: LoadedModel) -> None:
    assert model.predict(torch.zeros(1, 3, 8, 12, dtype=torch.float64)).labels


def test_logits_that_are_not_finite_are_no_prediction(model: LoadedModel) -> None:
    with torch.no_grad():
        model.head.bias.fill_(float("nan"))
    with pytest.raises(WeightsError, match=r"not finite .* the first is image 0"):
        model.predict(torch.zeros(1, 3, 8, 12))
