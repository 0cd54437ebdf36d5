"""Evaluation: the set's own classes, exact intervals, every image exactly once."""

from pathlib import Path

import attrs
import pytest
import torch
from PIL import Image

from cfft.data.images import ImageFiles, class_folders
from cfft.encoder.encoder import Classifier
from cfft.errors import DataError, WeightsError
from cfft.records import Preprocessing
from cfft.runtime.devices import make_accelerator
from cfft.scoring.evaluate import (
    Reading,
    outputs_of,
    predictions_of,
    predictions_on,
    score,
)
from cfft.scoring.predictions import Predictions
from cfft.testing import tiny_classifier

HALF = (0.5, 0.5, 0.5)
READING = Reading(Preprocessing((8, 12), 8, "bicubic", HALF, HALF), batch_size=2)


@pytest.fixture
def images(tmp_path: Path) -> ImageFiles:
    """Five images of one grey level each: three of class a, two of class b."""
    for level, folder in enumerate("aaabb"):
        (tmp_path / folder).mkdir(exist_ok=True)
        grey = Image.new("RGB", (12, 8), (50 * level,) * 3)
        grey.save(tmp_path / folder / f"{level}.png")
    return class_folders(tmp_path, name="levels")


def predictions(logits: list[list[float]], labels: list[int], classes: tuple[int, ...]):
    names = tuple(map(str, labels))
    return Predictions(torch.tensor(logits), torch.tensor(labels), names, classes)


def test_the_largest_logit_is_looked_for_among_the_sets_own_classes_only() -> None:
    logits = [[9.0, 2.0, 1.0], [9.0, 1.0, 2.0]]

    found = score(predictions(logits, [1, 1], classes=(1, 2)))

    assert (found.top1, found.n, found.classes) == (0.5, 2, 2)


def test_the_interval_is_clopper_and_pearsons() -> None:
    found = score(predictions([[0.0, 1.0]] * 10, [0] * 10, classes=(0, 1)))

    # without a success the upper end solves (1 - p)^10 = 0.025
    assert found.ci95 == pytest.approx((0.0, 1 - 0.025**0.1))


def test_every_image_is_predicted_once_and_in_order(images: ImageFiles) -> None:
    classifier = tiny_classifier(classes=2)
    heard: list[int] = []

    found = predictions_on(classifier, images, READING, make_accelerator("fp32"), heard.append)

    assert found.names == ("a/0.png", "a/1.png", "a/2.png", "b/3.png", "b/4.png")
    assert (found.labels.tolist(), found.classes) == ([0, 0, 0, 1, 1], (0, 1))
    torch.testing.assert_close(found.logits, one_by_one(classifier, images))
    assert heard == [2, 4, 5]


def one_by_one(classifier: Classifier, images: ImageFiles) -> torch.Tensor:
    levels = [torch.full((1, 3, 8, 12), 50 * level / 255) for level in range(len(images))]
    with torch.no_grad():
        return torch.cat([classifier(level).logits for level in levels])


def test_outputs_that_lie_in_a_file_are_the_same(
    images: ImageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, accelerator = tiny_classifier(classes=2), make_accelerator("fp32")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    in_memory = predictions_on(classifier, images, READING, accelerator)
    monkeypatch.setattr("cfft.scoring.evaluate.IN_MEMORY_BYTES", 39)  # 5 images, 2 classes

    in_file = predictions_on(
        classifier, images, attrs.evolve(READING, scratch=scratch), accelerator
    )

    in_file.save(tmp_path / "file.npz")
    stored = Predictions.load(tmp_path / "file.npz")
    assert torch.equal(in_file.logits, in_memory.logits)
    assert torch.equal(stored.logits, in_memory.logits)
    assert score(in_file) == score(in_memory)
    assert [*scratch.iterdir()] == []


def test_an_empty_set_is_refused_by_name() -> None:
    empty = ImageFiles("nothing", Path(), (), (), (0, 1), ("a", "b"))

    with pytest.raises(DataError, match="set 'nothing' has no images"):
        outputs_of(lambda images: images, empty, READING, make_accelerator("fp32"))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_logits_that_are_not_finite_are_no_answer(value: float, images: ImageFiles) -> None:
    logits = torch.zeros(5, 2)
    logits[3, 1] = value

    with pytest.raises(WeightsError, match=r"set 'levels'.* 1 of 5 .*b/3\.png.*fp32"):
        predictions_of(logits, images)


def test_a_class_that_stands_for_another_label_counts_as_right() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [0.0, 1.0, 3.0]])
    predictions = Predictions(
        logits, torch.tensor([0, 0]), ("a", "b"), (0, 1, 2), torch.tensor([0, 0, 2])
    )

    found = score(predictions)

    assert found.top1 == 0.5


def test_the_interval_counts_versions_of_an_image_as_one() -> None:
    wrong = predictions([[0.0, 1.0]] * 10, [0] * 10, classes=(0, 1))

    found = score(attrs.evolve(wrong, origins=("a", "b") * 5))

    assert (found.n, found.ci95) == (10, pytest.approx((0.0, 1 - 0.025**0.5)))
