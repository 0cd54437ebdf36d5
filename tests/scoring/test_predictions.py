"""Predictions on disk: read back as they were, and refused where they contradict themselves."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cfft.errors import DataError
from cfft.scoring.predictions import Predictions


def predictions(logits: list[list[float]], labels: list[int], classes: tuple[int, ...]):
    names = tuple(map(str, labels))
    return Predictions(torch.tensor(logits), torch.tensor(labels), names, classes)


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
        {"stands_for": np.array([0])},
        {"labels": np.array([1.0])},
        {"classes": np.array([[0, 1]])},
        {
            "logits": np.zeros((0, 2), np.float32),
            "labels": np.zeros(0, np.int64),
            "names": np.zeros(0, "U1"),
        },
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
