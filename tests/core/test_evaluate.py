"""Evaluation: the set's own classes, exact intervals, every picture exactly once."""

from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from PIL import Image

from cfft.data.pictures import FilePictures, class_folders
from cfft.encoder import Classifier
from cfft.errors import ConfigError, DataError, WeightsError
from cfft.evaluate import (
    Predictions,
    Reading,
    Score,
    evaluate,
    make_accelerator,
    mean_top1,
    outputs_of,
    precision_of,
    predictions_of,
    processes_of,
    score,
)
from cfft.interfaces import Preprocessing
from cfft.testing import tiny_classifier

HALF = (0.5, 0.5, 0.5)
READING = Reading(Preprocessing((8, 12), 8, "bicubic", HALF, HALF), batch_size=2)


@pytest.fixture
def pictures(tmp_path: Path) -> FilePictures:
    """Five pictures of one grey level each: three of class a, two of class b."""
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


def test_results_hold_plain_values() -> None:
    found = Score(0.5, 2, 3, (0.1, 0.9)).record("ood")

    assert found == {"role": "ood", "top1": 0.5, "n": 2, "classes": 3, "ci95": [0.1, 0.9]}


def test_the_mean_counts_every_set_once_and_there_is_none_without_sets() -> None:
    scores = [Score(0.2, 10, 3, (0.0, 1.0)), Score(0.6, 1000, 3, (0.0, 1.0))]

    assert mean_top1(scores) == pytest.approx(0.4)
    assert mean_top1([]) is None


def test_every_picture_is_predicted_once_and_in_order(pictures: FilePictures) -> None:
    classifier = tiny_classifier(classes=2)
    heard: list[int] = []

    found = evaluate(classifier, pictures, READING, make_accelerator("fp32"), heard.append)

    assert found.names == ("a/0.png", "a/1.png", "a/2.png", "b/3.png", "b/4.png")
    assert (found.labels.tolist(), found.classes) == ([0, 0, 0, 1, 1], (0, 1))
    torch.testing.assert_close(found.logits, one_by_one(classifier, pictures))
    assert heard == [2, 4, 5]


def one_by_one(classifier: Classifier, pictures: FilePictures) -> torch.Tensor:
    levels = [torch.full((1, 3, 8, 12), 50 * level / 255) for level in range(len(pictures))]
    with torch.no_grad():
        return torch.cat([classifier(level).logits for level in levels])


def test_predictions_are_kept_without_pickles(tmp_path: Path) -> None:
    kept = predictions([[0.0, 1.0]], [1], classes=(0, 1))

    kept.save(tmp_path / "predictions" / "art.npz")

    with np.load(tmp_path / "predictions" / "art.npz", allow_pickle=False) as found:
        assert found["logits"].tolist() == [[0.0, 1.0]]
        assert (found["labels"].tolist(), found["names"].tolist()) == ([1], ["1"])
        assert found["classes"].tolist() == [0, 1]


def test_predictions_are_not_compressed(tmp_path: Path) -> None:
    predictions([[0.0, 1.0]] * 1000, [1] * 1000, classes=(0, 1)).save(tmp_path / "set.npz")

    assert (tmp_path / "set.npz").stat().st_size > 1000 * 2 * 4


def test_an_empty_set_is_refused_by_name() -> None:
    empty = FilePictures("nothing", Path(), (), (), (0, 1), ("a", "b"))

    with pytest.raises(DataError, match="set 'nothing' has no pictures"):
        outputs_of(lambda images: images, empty, READING, make_accelerator("fp32"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_half_precision_without_a_gpu_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"fp16 needs a GPU.*bf16"):
        make_accelerator("fp16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_one_process_may_change_precision_between_runs() -> None:
    asked = ("auto", "bf16", "bf16", "fp32")

    found = [precision_of(make_accelerator(precision)) for precision in asked]

    assert found == ["fp32", "bf16", "bf16", "fp32"]


def test_the_only_process_is_the_main_one_and_hears_itself() -> None:
    processes = processes_of(make_accelerator("fp32"))

    assert (processes.index, processes.count, processes.is_main) == (0, 1, True)
    assert processes.join(["found"]) == ["found"]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_logits_that_are_not_finite_are_no_answer(value: float, pictures: FilePictures) -> None:
    logits = torch.zeros(5, 2)
    logits[3, 1] = value

    with pytest.raises(WeightsError, match=r"set 'levels'.* 1 of 5 .*b/3\.png.*fp32"):
        predictions_of(logits, pictures)


def test_a_class_that_stands_for_another_label_counts_as_right() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [0.0, 1.0, 3.0]])
    predictions = Predictions(
        logits, torch.tensor([0, 0]), ("a", "b"), (0, 1, 2), torch.tensor([0, 0, 2])
    )

    found = score(predictions)

    assert found.top1 == 0.5


def test_the_interval_counts_versions_of_a_picture_as_one() -> None:
    wrong = predictions([[0.0, 1.0]] * 10, [0] * 10, classes=(0, 1))

    found = score(attrs.evolve(wrong, origins=("a", "b") * 5))

    assert (found.n, found.ci95) == (10, pytest.approx((0.0, 1 - 0.025**0.5)))


def test_stored_predictions_are_read_back_as_they_were(tmp_path: Path) -> None:
    kept = Predictions(
        torch.tensor([[1.0, 2.0]]),
        torch.tensor([1]),
        ("a.png",),
        (0, 1),
        torch.tensor([1, 1]),
        ("photo/a.png",),
    )

    kept.save(tmp_path / "set.npz")
    found = Predictions.load(tmp_path / "set.npz")

    torch.testing.assert_close(found.logits, kept.logits)
    assert (found.names, found.classes) == (kept.names, kept.classes)
    assert found.origins == ("photo/a.png",)
    assert found.stands_for.tolist() == [1, 1]


@pytest.mark.parametrize(
    "changed",
    [
        {"labels": np.array([2])},
        {"labels": np.array([-1])},
        {"classes": np.array([0, 5])},
        {"stands_for": np.array([0, 2])},
        {"names": np.array(["a", "b"])},
        {"origins": np.array(["a", "b"])},
        {"logits": np.zeros(1, np.float32)},
        {"logits": np.array([[0.0, np.nan]], np.float32)},
        {"logits": np.array([[0.0, np.inf]], np.float32)},
    ],
)
def test_predictions_that_contradict_themselves_are_refused(changed, tmp_path: Path) -> None:
    predictions([[0.0, 1.0]], [1], classes=(0, 1)).save(tmp_path / "set.npz")
    with np.load(tmp_path / "set.npz") as stored:
        arrays = {**stored, **changed}
    np.savez(tmp_path / "set.npz", **arrays)

    with pytest.raises(DataError, match=r"set\.npz: no predictions that cfft wrote"):
        Predictions.load(tmp_path / "set.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04"])
def test_a_file_without_predictions_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "set.npz").write_bytes(content)

    with pytest.raises(DataError, match=r"set\.npz: no predictions"):
        Predictions.load(tmp_path / "set.npz")


def test_predictions_whose_bytes_are_damaged_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez_compressed(path, logits=np.arange(4000.0).reshape(-1, 2))
    damaged = bytearray(path.read_bytes())
    damaged[200:260] = bytes(60)
    path.write_bytes(damaged)

    with pytest.raises(DataError, match=r"set\.npz: no predictions"):
        Predictions.load(path)


def test_logits_of_other_classes_than_those_named_beside_them_are_refused(tmp_path: Path) -> None:
    predictions([[0.0, 1.0]], [1], classes=(0, 1)).save(tmp_path / "set.npz")

    with pytest.raises(DataError, match=r"set\.npz: logits of 2 classes, but 3 are named"):
        Predictions.load(tmp_path / "set.npz", known=3)
