"""The suite `wilds` on small datasets laid out as WILDS unpacks them, read by the library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfft import ConfigError, DataError
from cfft.plugin.registry import Registry
from cfft.testing import check_strategy
from cfft_suites.wilds.suite import WildsSuite

pytest.importorskip("wilds")
pandas = pytest.importorskip("pandas")
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


def table(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")


def tables_of(folder: Path, header: str, rows: list[str], file: str = "metadata.csv") -> None:
    """Write the metadata of a dataset, and the file that says which release it is."""
    table(folder / file, header, *rows)
    (folder / f"RELEASE_{folder.name.rpartition('_')[2]}.txt").touch()


@pytest.fixture
def iwildcam(tmp_path: Path) -> Path:
    """Two species at cameras 0 to 2: 12 images to train on and 2 for every other split."""
    folder = tmp_path / "iwildcam_v2.0"
    splits = ["train"] * 12 + ["id_val", "id_test", "val", "test"] * 2
    rows = [
        f"{split},{i}.png,{i % 2},{i % 3},{i},2013-06-05 05:44:19.000"
        for i, split in enumerate(splits)
    ]
    for i in range(len(rows)):
        save(folder / "train" / f"{i}.png", i)
    tables_of(folder, "split,filename,y,location_remapped,sequence_remapped,datetime", rows)
    table(folder / "categories.csv", "y,category_id,name", "1,2,tayassu pecari", "0,0,empty")
    return tmp_path


@pytest.fixture
def domainnet(tmp_path: Path) -> Path:
    """Sketches (ID) and real images (OOD) of two classes, aircraft carriers and zigzags."""
    folder = tmp_path / "domainnet_v1.0"
    rows = []
    for domain in ("sketch", "real"):
        for i in range(24):
            name = f"{domain}/{i}.png"
            save(folder / name, i)
            kind, label = ("zigzag", 344) if i % 2 else ("aircraft_carrier", 0)
            part = "train" if i < 20 else "test"
            rows.append(f'"{name}","{domain}","{part}","{kind}",{label}')
    header = '"image_path","domain","split","category","y"'
    tables_of(folder, header, rows)
    return tmp_path


@pytest.fixture
def fmow(tmp_path: Path) -> Path:
    """Airports and zoos of 2002 (ID), 2014 (val) and 2017 (test), and one image kept back."""
    folder = tmp_path / "fmow_v1.1"
    years = ["2002"] * 24 + ["2014"] * 2 + ["2017"] * 2
    parts = ["train"] * 20 + ["val", "val", "test", "test", "val", "val", "test", "test"]
    rows = [
        f"{part},FRA,{year}-05-01T00:00:00Z,{'zoo' if i % 2 else 'airport'}"
        for i, (part, year) in enumerate(zip(parts, years, strict=True))
    ]
    rows = ["seq,FRA,2002-05-01T00:00:00Z,zoo", *rows, *["seq,FRA,2002-05-01T00:00:00Z,zoo"] * 100]
    for i in range(29):
        save(folder / "images" / f"rgb_img_{i}.png", i)
    tables_of(folder, "split,country_code,timestamp,category", rows, "rgb_metadata.csv")
    table(folder / "country_code_mapping.csv", "alpha-3,region", "FRA,Europe")
    return tmp_path


@pytest.fixture
def rxrx1(tmp_path: Path) -> Path:
    """Two treatments in experiments of training (site 1 and 2), validation and test."""
    folder = tmp_path / "rxrx1_v1.0"
    rows = []
    for i, part in enumerate(["train"] * 24 + ["val"] * 2 + ["test"] * 2):
        site = 2 if part == "train" and i >= 20 else 1
        save(folder / "images" / f"{part}-01" / "Plate1" / f"B{i:02}_s{site}.png", i)
        rows.append(f"{part},HEPG2,{part}-01,1,B{i:02},{site},{i % 2}")
    tables_of(folder, "dataset,cell_type,experiment,plate,well,site,sirna_id", rows)
    return tmp_path


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """Faces with attributes of -1 and 1."""
    folder = tmp_path / "celebA_v1.0"
    parts = [0] * 20 + [1] * 2 + [2] * 2
    for i in range(len(parts)):
        save(folder / "img_align_celeba" / f"{i}.png", i)
    rows = [f"{i}.png,{1 if i % 2 else -1},{-1 if i % 3 else 1}" for i in range(len(parts))]
    tables_of(folder, "image_id,Blond_Hair,Male", rows, "list_attr_celeba.csv")
    listed = [f"{i}.png,{part}" for i, part in enumerate(parts)]
    table(folder / "list_eval_partition.csv", "image_id,partition", *listed)
    return tmp_path


SIZES = {
    "iwildcam": {"train": 12, "id_val": 2, "id_test": 2, "test": 2, "val": 2},
    "domainnet": {"train": 18, "id_val": 2, "id_test": 4, "test": 4, "val": 20},
    "fmow": {"train": 20, "id_val": 2, "id_test": 2, "test": 2, "val": 2},
    "rxrx1": {"train": 18, "id_val": 2, "id_test": 4, "test": 2, "val": 2},
    "celebA": {"train": 14, "id_val": 2, "id_test": 4, "test": 2, "val": 2},
}
NAMES = {
    "iwildcam": {0: "empty", 1: "tayassu pecari"},
    "domainnet": {0: "aircraft_carrier", 344: "zigzag"},
    "fmow": {0: "airport", 61: "zoo"},
    "rxrx1": {0: "0", 1: "1"},
    "celebA": {0: "not blond", 1: "blond"},
}


READ_ONLY = int(pandas.__version__.partition(".")[0]) >= 3


@pytest.mark.parametrize(
    "dataset",
    [
        *(name for name in SIZES if name != "rxrx1"),
        pytest.param("rxrx1", marks=pytest.mark.skipif(READ_ONLY, reason="needs pandas below 3")),
    ],
)
def test_every_dataset_has_its_splits_images_and_class_names(
    dataset: str, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue(dataset.lower())

    sets = WildsSuite(dataset=dataset, data=data).open(0)

    everything = (sets.train, sets.val, sets.test, *sets.ood)
    assert {each.name: len(each) for each in everything} == SIZES[dataset]
    assert {label: sets.classes[label] for label in sets.train.labels} == NAMES[dataset]
    assert [each.read(0).size for each in everything] == [(5, 3)] * 5


@pytest.mark.skipif(not READ_ONLY, reason="older pandas lets WILDS write")
def test_the_dataset_that_needs_an_older_pandas_says_so(rxrx1: Path) -> None:
    with pytest.raises(ConfigError, match=r"wilds reads rxrx1 .*: pip install 'pandas<3'"):
        WildsSuite(dataset="rxrx1", data=rxrx1).open(0)


def test_metadata_that_lack_a_column_are_no_bug_of_cfft(waterbirds: Path) -> None:
    table(waterbirds / "waterbirds_v1.0" / "metadata.csv", "img_id,y", "0,1")

    with pytest.raises(DataError, match=r"waterbirds in .* cannot be read \(KeyError: .*publishes"):
        WildsSuite(dataset="waterbirds", data=waterbirds).open(0)


def test_labels_that_do_not_count_up_are_no_bug_of_cfft(iwildcam: Path) -> None:
    path = iwildcam / "iwildcam_v2.0" / "metadata.csv"
    path.write_text(path.read_text().replace(".png,1,", ".png,5,"))

    with pytest.raises(DataError, match=r"iwildcam in .* cannot be read \(AssertionError"):
        WildsSuite(dataset="iwildcam", data=iwildcam).open(0)


def test_names_of_species_that_do_not_fit_are_told(iwildcam: Path) -> None:
    table(iwildcam / "iwildcam_v2.0" / "categories.csv", "y,name", "0,empty")

    with pytest.raises(DataError, match=r"categories.csv: no names of 2 classes"):
        WildsSuite(dataset="iwildcam", data=iwildcam).open(0)


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


def test_images_are_those_of_the_split(waterbirds: Path) -> None:
    test, _ = WildsSuite(dataset="waterbirds", data=waterbirds).open(0).ood

    stored = Image.open(waterbirds / "waterbirds_v1.0" / "27.png")
    assert test.identify(3) == "picture-27"
    assert test.read(3).tobytes() == stored.tobytes()


def test_an_image_that_cannot_be_read_is_named(waterbirds: Path) -> None:
    (waterbirds / "waterbirds_v1.0" / "27.png").unlink()
    test, _ = WildsSuite(dataset="waterbirds", data=waterbirds).open(0).ood

    with pytest.raises(DataError, match=r"WILDS waterbirds, picture-27: .*27.png"):
        test.read(3)


def test_class_names_may_be_given(camelyon17: Path) -> None:
    names = camelyon17 / "classes.txt"
    names.write_text("normal tissue\ntumour tissue\n")
    named = WildsSuite(dataset="camelyon17", data=camelyon17, classes=names)

    assert WildsSuite(dataset="camelyon17", data=camelyon17).open(0).classes == (
        "healthy tissue",
        "tumor tissue",
    )
    assert named.open(0).classes == ("normal tissue", "tumour tissue")
    names.write_text("one\ntwo\nthree\n")
    with pytest.raises(DataError, match="got 3, camelyon17 has 2 classes"):
        named.open(0)


def test_a_dataset_that_is_not_there_is_not_downloaded_unasked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"WILDS fmow is not complete in .*--download true gets it"):
        WildsSuite(dataset="fmow", data=tmp_path).open(0)
    with pytest.raises(DataError, match="nowhere: no such directory"):
        WildsSuite(dataset="fmow", data=tmp_path / "nowhere").open(0)


def test_a_dataset_that_is_no_image_classification_is_refused() -> None:
    declared = Registry.installed().declaration("suite", "wilds")

    with pytest.raises(ConfigError, match="got 'poverty', allowed: one of camelyon17, iwildcam"):
        declared.build({"dataset": "poverty", "data": "data"}, {})
