"""The suite `webdataset` on tars that the library itself writes."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfft import ConfigError, DataError, ImageSet
from cfft.data.sets import evaluation_sets, training_sets
from cfft.data.verification.verify import verify
from cfft.testing import check_strategy
from cfft_suites.webdataset.shards import cache_name
from cfft_suites.webdataset.suite import WebDatasetSuite

webdataset = pytest.importorskip("webdataset")


def image(number: int) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, (3, 5, 3), np.uint8)
    return Image.fromarray(pixels)


def write(path: Path, first: int, labels: list[int], extension: str = "png") -> None:
    path.parent.mkdir(exist_ok=True)
    with webdataset.TarWriter(str(path)) as tar:
        for number, label in enumerate(labels, first):
            content = io.BytesIO()
            image(number).save(content, "png")
            sample = {extension: content.getvalue(), "cls": str(label).encode()}
            tar.write({"__key__": f"{number:04}", **sample, "json": {"number": number}})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten cats and ten dogs in two tars, two of each to test on, and dogs in snow."""
    write(tmp_path / "train-0.tar", 0, [0, 1] * 5)
    write(tmp_path / "train-1.tar", 10, [0, 1] * 5)
    write(tmp_path / "test" / "0.tar", 20, [0, 1, 1, 0])
    write(tmp_path / "snow" / "0.tar", 30, [1, 1])
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    return tmp_path


def suite(folder: Path, **values: str | Path | None) -> WebDatasetSuite:
    given = {"train_tars": "train-{0..1}.tar", "test_tars": "test/0.tar", "ood": "snow=snow/0.tar"}
    return WebDatasetSuite(**{"classes": folder / "classes.txt", "data": folder, **given, **values})


def pixels(images: ImageSet, index: int) -> list[int]:
    return np.asarray(images.read(index)).tolist()


def test_tars_keep_the_rules_of_suites(data: Path) -> None:
    given = {"train_tars": "train-{0..1}.tar", "test_tars": "test/0.tar", "ood": "snow=snow/0.tar"}

    check_strategy(WebDatasetSuite, {"classes": data / "classes.txt", "data": data, **given})


def test_the_example_that_the_suite_brings_keeps_them_too() -> None:
    check_strategy(WebDatasetSuite)


def test_every_image_is_read_from_its_place_in_any_order(data: Path) -> None:
    sets = suite(data).open(0)

    assert sets.classes == ("cat", "dog")
    assert sets.test.labels == (0, 1, 1, 0)
    assert pixels(sets.test, 3) == np.asarray(image(23)).tolist()
    assert pixels(sets.test, 0) == np.asarray(image(20)).tolist()
    assert sets.test.identify(3) == "test/0.tar/0023"
    assert [(each.name, each.labels, each.classes) for each in sets.ood] == [("snow", (1, 1), (1,))]


def test_parts_without_a_pattern_are_drawn_from_the_training_tars(data: Path) -> None:
    sets = suite(data, test_tars=None).open(0)

    assert [len(each) for each in (sets.train, sets.val, sets.test)] == [14, 2, 4]


def test_sets_can_be_measured_on_without_training_tars(data: Path) -> None:
    measured = suite(data, train_tars=None)

    assert [each.name for each in measured.evaluation(0).present] == ["test", "snow"]
    with pytest.raises(DataError, match="no images to train on: give --train-tars TARS"):
        training_sets(measured, 0)


def test_a_test_set_that_is_drawn_is_the_same_where_models_are_measured(data: Path) -> None:
    drawn = suite(data, test_tars=None)

    measured, trained = drawn.evaluation(3).test, drawn.open(3).test

    assert measured is not None
    assert list(map(measured.identify, range(4))) == list(map(trained.identify, range(4)))


def test_extensions_may_be_others_and_in_upper_case(data: Path) -> None:
    write(data / "test" / "0.tar", 20, [0, 1], extension="PPM")

    assert len(suite(data, image_keys=("png", "ppm")).open(0).test) == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"test_tars": "test/{0..2}.tar"},
            r"'test': 2 of 3 tars are not in \S+: test/1.tar, test/2.tar",
        ),
        ({"image_keys": ("jpg",)}, r"sample '0000' has no jpg, only cls, json, png; other ext"),
        ({"label_key": "txt"}, r"sample '0000' has no txt, only cls, json, png"),
        ({"label_key": "json"}, r"label of sample '0000' is b'\{\"number\": 0\}', no class index"),
        ({"test_tars": "compressed.tar"}, r"compressed.tar is cut short, compressed or no tar"),
        ({"test_tars": "short.tar"}, r"short.tar is cut short, compressed or no tar"),
        ({"test_tars": "half.tar"}, r"half.tar is cut short, .* \(its end is missing\)"),
        (
            {"test_tars": "three.tar"},
            r"'0000' has label 2; there are 2 class names, so 0 to 1 are allo",
        ),
    ],
)
def test_tars_that_do_not_fit_are_named(data: Path, values: dict, message: str) -> None:
    whole = (data / "train-0.tar").read_bytes()
    (data / "compressed.tar").write_bytes(gzip.compress(whole))
    (data / "short.tar").write_bytes(whole[:5000])
    (data / "half.tar").write_bytes(whole[: whole.index(b"0005.cls") - 1024])
    write(data / "three.tar", 0, [2])

    with pytest.raises(DataError, match=message):
        training_sets(suite(data, **values), 0)


def test_problems_of_all_sets_are_reported_at_once(data: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)'test': 1 of 1 tars.*'snow': 1 of 1 tars"):
        training_sets(suite(data, test_tars="no.tar", ood="snow=none.tar"), 0)


def test_a_torn_shift_hides_no_other_set(data: Path) -> None:
    torn = suite(data, ood="snow=snow/0.tar; fog=fog.tar")

    found = verify(torn, 0)

    assert [each.name for each in found.sets] == ["train", "val", "test", "snow"]
    assert found.refused == {"fog": f"set 'fog': 1 of 1 tars are not in {data}: fog.tar"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ood": "snow"}, r"ood: got 'snow'; write NAME=SOURCE"),
        ({"ood": "a=1; a=2"}, r"each with a different name"),
        ({"ood": "test=0.tar"}, r"'test' is an in-distribution part; choose another name"),
        ({"ood": "val=0.tar"}, r"'val' is an in-distribution part"),
        ({"ood": "train=0.tar"}, r"'train' is an in-distribution part"),
    ],
)
def test_ood_sets_that_are_misspelt_are_refused_at_once(
    data: Path, values: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        suite(data, **values)


@pytest.mark.parametrize(
    "pattern",
    [
        "pipe:touch RAN",
        "test/0.tar::pipe:touch RAN; echo https://x",
        "{pipe:touch RAN && echo ftp://x,test/0.tar}",
        "gs://bucket/0.tar",
    ],
)
def test_commands_in_place_of_tars_are_not_run(data: Path, pattern: str) -> None:
    ran = data / "ran"

    with pytest.raises(ConfigError, match="cfft does not run commands; give files, file://, http"):
        suite(data, test_tars=pattern.replace("RAN", str(ran))).open(0)

    assert not ran.exists()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("test/{0..", "unbalanced|Unbalanced"), ("${NOT_THERE}/0.tar", "NOT_THERE")],
)
def test_a_pattern_that_cannot_be_read_is_named(data: Path, pattern: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"set 'test': .*({message}).*write braces as in"):
        suite(data, test_tars=pattern).open(0)


def add(path: Path, name: str, content: bytes) -> None:
    """Append a file to a tar."""
    with tarfile.open(path, "a") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize("name", ["__dataset__.json", "d/._0000.png", "._0020.png", "d/.DS_Store"])
def test_files_of_the_library_and_of_macos_are_no_samples(data: Path, name: str) -> None:
    add(data / "test" / "0.tar", name, b"{}")

    assert len(suite(data).open(0).test) == 4


def test_a_file_that_a_tar_holds_twice_is_named(data: Path) -> None:
    add(data / "test" / "0.tar", "0021.cls", b"0")

    with pytest.raises(DataError, match=r"0.tar: it holds 0021.cls twice"):
        suite(data).open(0)


def test_a_class_that_training_lacks_is_named(data: Path) -> None:
    (data / "classes.txt").write_text("cat\ndog\nowl\n")
    write(data / "snow" / "0.tar", 30, [1, 2])

    with pytest.raises(DataError, match=r"'snow' has classes that training lacks \(1\), .*'owl'"):
        training_sets(suite(data), 0)


def test_a_tar_is_indexed_once_and_again_where_it_has_changed(data: Path) -> None:
    first, again = suite(data).open(0).test, suite(data).open(1).test
    write(data / "test" / "0.tar", 20, [1])

    changed = suite(data).open(0).test

    assert first.indices[0] is again.indices[0]
    assert changed.labels == (1,)


def test_a_file_of_class_names_that_is_not_there_is_named(data: Path) -> None:
    with pytest.raises(DataError, match=r"class names \S+none.txt"):
        training_sets(suite(data, classes=data / "none.txt"), 0)


class Quiet(SimpleHTTPRequestHandler):
    """Serve files and log nothing."""

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def url(data: Path) -> Iterator[str]:
    """Serve the tars on this machine."""
    if shutil.which("curl") is None:
        pytest.skip("webdataset downloads with curl")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=data)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_tars_with_a_url_are_downloaded_once(data: Path, url: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    remote = suite(
        data,
        data=None,
        train_tars=None,
        test_tars=f"{url}/test/0.tar",
        ood=f"s={url}/snow/0.tar",
        cache=cache,
    )

    first = remote.evaluation(0)
    shutil.rmtree(data / "test")
    second = remote.evaluation(0)

    assert first.test is not None
    assert second.test is not None
    assert [len(each) for each in second.present] == [4, 2]
    assert pixels(second.test, 2) == pixels(first.test, 2)
    assert second.test.identify(0) == f"{url}/test/0.tar/0020"
    assert len(list(cache.iterdir())) == 2


def test_a_url_without_a_tar_is_named_and_nothing_is_kept(
    data: Path, url: str, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    remote = suite(
        data, data=None, train_tars=None, test_tars=f"{url}/classes.txt", ood="", cache=cache
    )
    whole = (data / "train-0.tar").read_bytes()
    (data / "half.tar").write_bytes(whole[: whole.index(b"0005.cls") - 1024])
    cut = suite(data, data=None, train_tars=None, test_tars=f"{url}/half.tar", ood="", cache=cache)
    missing = suite(
        data, data=None, train_tars=None, test_tars=f"{url}/no.tar", ood="", cache=cache
    )

    with pytest.raises(DataError, match=r"http\S+/classes.txt is no whole tar"):
        evaluation_sets(remote, 0)
    with pytest.raises(DataError, match=r"http\S+/half.tar is no whole tar .*its end is missing"):
        evaluation_sets(cut, 0)
    with pytest.raises(DataError, match=r"cannot download http\S+/no.tar into"):
        evaluation_sets(missing, 0)
    assert [path for path in cache.iterdir() if ".temp" not in path.name] == []


def test_an_ood_set_whose_name_is_a_path_is_refused(data: Path) -> None:
    with pytest.raises(DataError, match=r"no set can be called '\.\./snow': do not use / or"):
        training_sets(suite(data, ood="../snow=snow/0.tar"), 0)


def test_a_broken_tar_in_the_cache_is_said_to_be_deleted(
    data: Path, url: str, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    remote = suite(
        data, data=None, train_tars=None, test_tars=f"{url}/test/0.tar", ood="", cache=cache
    )
    remote.evaluation(0)
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:5000])

    with pytest.raises(DataError, match=rf"{kept} is cut short, .*: delete it, and http"):
        evaluation_sets(remote, 0)


def test_a_signed_address_has_a_short_name_in_the_cache() -> None:
    signed = f"https://host/{'a' * 300}.tar?{'s' * 300}"

    assert cache_name(signed).endswith("a.tar")
    assert len(cache_name(signed)) < 100
    assert cache_name(signed) != cache_name(signed + "t")


@pytest.mark.parametrize("values", [{"image_keys": ("PNG",)}, {"label_key": "CLS"}])
def test_extensions_may_be_asked_for_in_upper_case(data: Path, values: dict) -> None:
    assert len(suite(data, **values).open(0).test) == 4


def test_the_home_directory_may_be_written_as_in_a_shell(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(data))
    places = {"train_tars": "~/train-{0..1}.tar", "test_tars": "~/test/0.tar"}

    sets = suite(data, ood="snow=~/snow/0.tar", data=None, **places).open(0)

    assert [len(images) for images in (sets.test, *sets.ood)] == [4, 2]


def test_names_with_dots_are_told_in_one_short_line(data: Path) -> None:
    with tarfile.open(data / "dots.tar", "w") as tar:
        for number in range(3000):
            for extension in ("png", "cls"):
                tar.addfile(tarfile.TarInfo(f"img.{number:04}.{extension}"))

    with pytest.raises(DataError, match=r"first dot .* '0000.cls' of img.0000.cls") as caught:
        training_sets(suite(data, train_tars="dots.tar"), 0)

    assert "and 5,995 more" in str(caught.value)
    assert max(map(len, str(caught.value).splitlines())) < 500
