"""`cfft data list` and `cfft data verify`, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Command = Callable[..., Any]
Install = Callable[..., Distribution]

NEEDY = """
    import cfft

    @cfft.suite("needy")
    class NeedySuite:
        '''Read [odd] files.'''
        known_sets = ("odd", "even")
        requires = {"no_such_module": "needy[odd]", "json": "json"}
        def open(self, seed):
            raise cfft.DataError("nothing here")
        def evaluation(self, seed):
            raise cfft.DataError("nothing there")

    @cfft.hookimpl
    def cfft_suites():
        return [NeedySuite]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten cats and ten dogs, in photographs and in sketches."""
    rng = np.random.default_rng(0)
    for folder in ("photo/cat", "photo/dog", "sketch/cat", "sketch/dog"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 256, (4, 4, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    return tmp_path


def test_list_tells_sets_and_what_is_missing_of_strangers_suites_too(
    cfft_command: Command, install: Install
) -> None:
    install("needy", NEEDY)

    ended = cfft_command("data", "list")

    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    first = lines.index("needy Read [odd] files.")
    assert ended.code == 0
    assert lines[first + 1 : first + 3] == [
        "sets: odd, even",
        "needs: no_such_module (pip install 'needy[odd]'), json (installed)",
    ]


def test_list_is_readable_where_nobody_says_how_wide_it_may_be(cfft_command: Command) -> None:
    assert max(map(len, cfft_command("data", "list").out.splitlines())) <= 100


def test_list_as_json_says_what_is_installed(cfft_command: Command, install: Install) -> None:
    install("needy", NEEDY)

    records = {r["name"]: r for r in json.loads(cfft_command("data", "list", "--json").out)}

    assert records["needy"]["sets"] == ["odd", "even"]
    assert [each["installed"] for each in records["needy"]["requires"]] == [False, True]
    assert records["folder"]["requires"] == []


def test_verify_ends_with_0_where_all_is_well(cfft_command: Command, data: Path) -> None:
    ended = cfft_command("data", "verify", "domains", str(data), "--id", "photo")

    assert ended.code == 0
    assert [line.split()[:3] for line in ended.out.splitlines()[1:]] == [
        ["photo-train", "train", "14"],
        ["photo-val", "val", "2"],
        ["photo", "test", "4"],
        ["sketch", "ood", "20"],
    ]


def test_verify_ends_with_2_and_a_summary_where_it_is_not(
    cfft_command: Command, data: Path
) -> None:
    (data / "sketch" / "cat" / "0.png").write_bytes(b"no image")
    Image.open(data / "photo" / "cat" / "1.png").save(data / "sketch" / "cat" / "copy.png")

    ended = cfft_command("data", "verify", "domains", "--data", str(data), "--id", "photo")

    assert ended.code == 2
    assert "sketch/cat/0.png: no image in a format" in ended.out
    assert "same image in photo (cat/1.png) and sketch (cat/copy.png)" in ended.out
    assert ended.err.splitlines()[-2:] == [
        "error: 1 image cannot be read",
        "error: 1 image is shared by sets that must be disjoint",
    ]


def test_verify_mentions_folders_that_belong_to_no_set(cfft_command: Command, data: Path) -> None:
    (data / "photo").rename(data / "train")
    (data / "notes").mkdir()

    ended = cfft_command("data", "verify", "folder", str(data))

    assert ended.code == 0
    assert "ignored folders (not train, val, test or ood): sketch" in ended.out.splitlines()


def test_verify_tells_what_was_passed_over_and_warns_of_lost_images(
    cfft_command: Command, data: Path
) -> None:
    (data / "sketch" / "dog" / "@eaDir").mkdir()
    for number in range(9):
        (data / "sketch" / "dog" / f"{number}.heic").touch()

    ended = cfft_command("data", "verify", "domains", str(data), "--id", "photo")

    assert ended.code == 0
    assert "passed over in sketch: 9 .heic, 1 system: @eaDir" in ended.out.splitlines()
    assert "warning: set 'sketch': 9 files with suffix .heic are passed over" in ended.out


def test_verify_as_json_prints_nothing_else_on_stdout(cfft_command: Command, data: Path) -> None:
    (data / "sketch" / "cat" / "0.png").write_bytes(b"no image")
    words = ("domains", str(data), "--id", "photo", "--json")

    ended = cfft_command("data", "verify", *words)
    found = json.loads(ended.out)

    assert ended.code == 2
    assert found["suite"]["use"] == "domains"
    assert found["problems"] == ["1 image cannot be read"]
    assert [image["set"] for image in found["unreadable"]] == ["sketch"]


@pytest.fixture
def faulty(data: Path) -> Path:
    """Add cartoons with an empty class and a class of their own, and clips without classes."""
    for folder in ("cartoon/cat", "cartoon/wolf", "clip"):
        (data / folder).mkdir(parents=True)
    return data


def test_verify_shows_every_set_beside_what_is_wrong(cfft_command: Command, faulty: Path) -> None:
    ended = cfft_command("data", "verify", "domains", str(faulty), "--id", "photo", "--counts-only")

    assert ended.code == 2
    assert [line.split() for line in ended.out.splitlines()[3:7]] == [
        ["photo", "test", "4", "-", "2", "-", "ok"],
        ["cartoon", "ood", "0", "-", "0", "-", "2", "problems"],
        ["clip", "ood", "0", "-", "0", "-", "1", "problem"],
        ["sketch", "ood", "20", "-", "2", "-", "ok"],
    ]
    assert [line.partition(";")[0] for line in ended.err.splitlines()] == [
        "error: set 'cartoon' has class 'wolf' that training lacks: rename or remove "
        f"{faulty}/cartoon/wolf",
        f"error: set 'cartoon': no images in class folder {faulty}/cartoon/cat",
        f"error: set 'clip': {faulty}/clip has no class folders",
    ]


def test_verify_as_json_holds_faults_refusals_and_absent_sets(
    cfft_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "imagenet-r" / "n01443537").mkdir(parents=True)
    (tmp_path / "objectnet-1.0" / "images" / "banana").mkdir(parents=True)
    (tmp_path / "objectnet-1.0" / "mappings").mkdir()

    ended = cfft_command("data", "verify", "imagenet", str(tmp_path), "--json")
    found = json.loads(ended.out)

    assert ended.code == 2
    assert [(each["name"], len(each["faults"])) for each in found["sets"]] == [("imagenet-r", 1)]
    assert list(found["refused"]) == ["objectnet"]
    assert list(found["absent"]) == ["imagenet", "imagenet-v2", "imagenet-sketch", "imagenet-a"]


def test_verify_tells_refused_and_absent_sets_in_the_table(
    cfft_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "test_batch").write_bytes(b"no batch")

    ended = cfft_command("data", "verify", "cifar10", str(tmp_path))

    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert lines[1:4] == ["cifar10 refused 1 problem", "cifar10.1 absent -", "cifar10.2 absent -"]
    assert lines[4].startswith("absent: cifar10.1: looked for CIFAR-10.1/datasets/")
    assert ended.err.startswith(f"error: {tmp_path}/test_batch: not the arrays")


def test_one_repeated_image_is_no_images(cfft_command: Command, data: Path) -> None:
    Image.open(data / "sketch" / "cat" / "1.png").save(data / "sketch" / "cat" / "copy.png")

    ended = cfft_command("data", "verify", "domains", str(data), "--id", "photo")

    assert ended.code == 0
    assert "1 image occurs more than once within a set" in ended.out


@pytest.mark.parametrize(("more", "code"), [([], 2), (["--allow-absent"], 0)])
def test_absent_sets_are_a_fault_unless_they_are_accepted(
    cfft_command: Command, data: Path, more: list[str], code: int
) -> None:
    words = ["domains", str(data), "--id", "photo", "--counts-only", "--json", *more]
    (data / "sketch").rename(data / "cartoon")

    ended = cfft_command("data", "verify", *words, "--benchmark", "office-home")

    assert ended.code == code
    assert list(json.loads(ended.out)["absent"]) == ["Art", "Clipart", "Product", "Real World"]


def test_a_suite_that_opens_nothing_says_why(cfft_command: Command, install: Install) -> None:
    install("needy", NEEDY)

    ended = cfft_command("data", "verify", "needy")

    assert (ended.code, ended.err.splitlines()[-1]) == (2, "error: nothing there")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("domain",), "unknown suite 'domain'; did you mean 'domains'"),
        (("domains",), "suite.domains.data is missing: give --suite.domains.data PATH"),
        (("domains", "a", "--data", "b"), "DIR a and --data b mean the same: give one of them"),
        (("domains", "a", "--idd", "x"), "unknown option --idd; did you mean --id"),
        (
            ("domains", "a", "--suite.folder.data", "b"),
            "suite 'folder' is not chosen (chosen: domains)",
        ),
        (("shapes", "a"), "no chosen strategy has --data (suite shapes)"),
        (
            ("domains", "a", "--seed", "x"),
            "--seed: got 'x', allowed: a whole number from 0 to 4294967295",
        ),
    ],
)
def test_words_that_make_no_sense_are_answered(
    cfft_command: Command, words: tuple[str, ...], message: str
) -> None:
    ended = cfft_command("data", "verify", *words)

    assert ended.code == 2
    assert message in ended.err
