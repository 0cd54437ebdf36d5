"""Several models over the same images: read once, each with its own classes and colours."""

from __future__ import annotations

from collections import Counter

import attrs
import pytest
import torch
from PIL import Image

from cfft.encoder.encoder import Classifier
from cfft.errors import DataError
from cfft.model.description import ModelDescription
from cfft.records import Preprocessing
from cfft.runtime.devices import make_accelerator
from cfft.scoring.evaluate import Reading, alike, predict_together, predictions_on
from cfft.scoring.loaded_model import LoadedModel
from cfft.testing import tiny_classifier

CLASSES = ("cat", "dog", "fox")
HALF = (0.5, 0.5, 0.5)
PREPARED = Preprocessing((8, 12), 8, "bicubic", HALF, HALF)


@attrs.define(eq=False)
class Counted:
    """Hold grey images and count how often each is read."""

    name: str = "greys"
    labels: tuple[int, ...] = (0, 1, 2, 0)
    classes: tuple[int, ...] = (0, 1, 2)
    reads: Counter[int] = attrs.field(factory=Counter)

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> Image.Image:
        self.reads[index] += 1
        return Image.new("RGB", (12, 8), (50 * index,) * 3)

    def identify(self, index: int) -> str:
        return f"{index}.png"


class Broken(Counted):
    """Hold images of which one cannot be read."""

    def read(self, index: int) -> Image.Image:
        raise DataError(f"dir/{index}.png: truncated")


def reading(prepared: Preprocessing) -> Reading:
    return Reading(prepared, batch_size=3)


def together(models: list[LoadedModel], images: Counted) -> list[torch.Tensor]:
    found = predict_together(models, images, reading(PREPARED), make_accelerator("fp32"))
    return [predictions.logits for predictions in found]


def loaded(classifier: Classifier, prepared: Preprocessing = PREPARED) -> LoadedModel:
    described = ModelDescription("mine", "tiny", "tiny", {}, prepared, True, CLASSES, "own")
    return LoadedModel(classifier, described)


def models(*seeds: int) -> list[Classifier]:
    return [tiny_classifier(seed=seed) for seed in seeds]


def test_every_image_is_read_once_for_all_models() -> None:
    images = Counted()

    together([loaded(model) for model in models(0, 1, 2)], images)

    assert images.reads == Counter(range(4))


def test_each_model_says_what_it_says_alone() -> None:
    first, second = models(0, 1)
    alone = [
        predictions_on(model, Counted(), reading(PREPARED), make_accelerator("fp32")).logits
        for model in (first, second)
    ]

    found = together([loaded(model) for model in (first, second)], Counted())

    torch.testing.assert_close(found, alone)


def test_logits_are_those_of_the_suites_classes() -> None:
    (model,) = models(0)

    whole, part = together(
        [
            loaded(model).for_classes("mine", "greys", classes)
            for classes in (CLASSES, ("fox", "cat", "dog"))
        ],
        Counted(),
    )

    torch.testing.assert_close(part, whole[:, [2, 0, 1]])


def test_models_share_pixels_where_size_and_resizing_agree_whatever_their_colours() -> None:
    (model,) = models(0)
    other_colours = attrs.evolve(PREPARED, mean=(0.1, 0.2, 0.3))
    other_resize = attrs.evolve(PREPARED, resize=9)

    groups = alike(
        {4: loaded(model), 2: loaded(model, other_resize), 7: loaded(model, other_colours)}
    )

    assert groups == [[4, 7], [2]]


def test_an_unreadable_image_is_named_with_its_set_and_what_to_do() -> None:
    broken = Broken()
    (model,) = models(0)

    with pytest.raises(DataError, match=r"set 'greys': dir/0\.png: truncated.*--skip-unreadable"):
        together([loaded(model)], broken)
