"""The suite `wilds` on small datasets laid out as WILDS unpacks them, read by the library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfft import ConfigError, DataError
from cfft.registry import Registry
from cfft.testing import check_strategy
from cfft_suites.wilds import WildsSuite

pytest.importorskip("wilds")
pytestmark = pytest.mark.slow  # the library takes seconds to import


def save(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (3, 5, 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def waterbirds(tmp_path: Path) -> Path:
    """Twenty birds to train on, four to validate and four to test on."""
    folder = tmp_path / "waterbirds_v1.0"
    splits = [0] * 20 + [1] * 4 + [2] * 4
    for number in range(28):
        save(folder / f"{number}.png", number)
    rows = [f"{i},{i}.png,{i % 2},{split},0" for i, split in enumerate(splits)]
    (folder / "metadata.csv").write_text("\n".join(["img_id,img_filename,y,split,place", *rows]))
    (folder / "RELEASE_v1.0.txt").touch()
    return tmp_path


@pytest.fixture
def camelyon17(tmp_path: Path) -> Path:
    """Patches of hospitals 0 (train and id_val), 1 (val) and 2 (test)."""
    folder = tmp_path / "camelyon17_v1.0"
    rows = [",patient,node,x_coord,y_coord,tumor,slide,center,split"]
    for i, (center, split) in enumerate([(0, 0)] * 20 + [(0, 1)] * 4 + [(1, 0)] * 6 + [(2, 0)] * 2):
        name = f"patient_004_node_1/patch_patient_004_node_1_x_{i}_y_0.png"
        save(folder / "patches" / name, i)
        rows.append(f"{i},004,1,{i},0,{i % 2},{center},{center},{split}")
    (folder / "metadata.csv").write_text("\n".join(rows))
    (folder / "RELEASE_v1.0.txt").touch()
    return tmp_path


def test_datasets_of_wilds_keep_the_rules_of_suites(camelyon17: Path) -> None:
    WildsSuite(dataset="camelyon17", data=camelyon17).open(0)  # what it imports draws numbers

    check_strategy(WildsSuite, {"dataset": "camelyon17", "data": camelyon17})


def test_hospitals_that_training_did_not_see_are_ood(camelyon17: Path) -> None:
    sets = WildsSuite(dataset="camelyon17", data=camelyon17).open(0)

    assert [(s.name, len(s)) for s in (sets.train, sets.val, sets.test)] == [
        ("train", 16),
        ("id_val", 4),
        ("id_test", 4),
    ]
    assert [(s.name, len(s), tuple(s.classes)) for s in sets.ood] == [
        ("test", 2, (0, 1)),
        ("val", 6, (0, 1)),
    ]


def test_id_parts_that_wilds_lacks_are_drawn_from_train(waterbirds: Path) -> None:
    sets = WildsSuite(dataset="waterbirds", data=waterbirds).open(0)

    assert sets.classes == ("landbird", "waterbird")
    assert [len(s) for s in (sets.train, sets.val, sets.test)] == [14, 2, 4]
    assert [(s.name, s.labels) for s in sets.ood] == [("test", (0, 1, 0, 1)), ("val", (0, 1, 0, 1))]


def test_pictures_are_those_of_the_split(waterbirds: Path) -> None:
    test, _ = WildsSuite(dataset="waterbirds", data=waterbirds).open(0).ood

    stored = Image.open(waterbirds / "waterbirds_v1.0" / "27.png")
    assert test.identify(3) == "picture-27"
    assert test.read(3).tobytes() == stored.tobytes()


def test_a_picture_that_cannot_be_read_is_named(waterbirds: Path) -> None:
    (waterbirds / "waterbirds_v1.0" / "27.png").unlink()
    test, _ = WildsSuite(dataset="waterbirds", data=waterbirds).open(0).ood

    with pytest.raises(DataError, match=r"WILDS waterbirds, picture-27: .*27.png"):
        test.read(3)


def test_class_names_may_be_given(camelyon17: Path) -> None:
    names = camelyon17 / "classes.txt"
    names.write_text("normal tissue\ntumour tissue\n")
    named = WildsSuite(dataset="camelyon17", data=camelyon17, classes=names)

    assert WildsSuite(dataset="camelyon17", data=camelyon17).open(0).classes == ("0", "1")
    assert named.open(0).classes == ("normal tissue", "tumour tissue")
    names.write_text("one\ntwo\nthree\n")
    with pytest.raises(DataError, match="got 3, camelyon17 has 2 classes"):
        named.open(0)


def test_a_dataset_that_is_not_there_is_not_downloaded_unasked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"WILDS fmow is not complete in .*--download true gets it"):
        WildsSuite(dataset="fmow", data=tmp_path).open(0)
    with pytest.raises(DataError, match="nowhere: no such directory"):
        WildsSuite(dataset="fmow", data=tmp_path / "nowhere").open(0)


def test_a_dataset_that_is_no_picture_classification_is_refused() -> None:
    declared = Registry.installed().declaration("suite", "wilds")

    with pytest.raises(ConfigError, match="got 'poverty', allowed: one of camelyon17, iwildcam"):
        declared.build({"dataset": "poverty", "data": "data"}, {})
