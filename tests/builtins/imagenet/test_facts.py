"""The facts of ImageNet that ship with cfft: those that its authors and its shifts' published."""

import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import open_clip
import pytest

from cfft_suites.imagenet.facts import facts

FACTS = facts()


@pytest.mark.parametrize(
    ("listed", "digest"),
    [
        (FACTS.folders, "624954f06d059ddd477ab500dc059cf2628ac01e441d8a648d1dc6fbfe504c5a"),
        (FACTS.imagenet_r, "1bfdbfb1fe9bc564aa1c2689aa671d2012ea061448008bc3eee919321bbd755a"),
        (FACTS.imagenet_a, "a2d0b3a7d6a8360fe7f554b7d415a24d98606a78719bdb39cf9fa87587679785"),
        (
            sorted(FACTS.objectnet.items()),
            "4d55f9ed4782af707d6be5d2c8c9e6d16ae7d7e17b9b59a24cb2bf337e639602",
        ),
    ],
    ids=["folders", "imagenet-r", "imagenet-a", "objectnet"],
)
def test_no_fact_changes_unnoticed(listed: Sequence[Any], digest: str) -> None:
    assert sha256(json.dumps(listed).encode()).hexdigest() == digest


def test_class_names_are_those_of_clip_in_index_order() -> None:
    assert tuple(FACTS.names.values()) == tuple(open_clip.IMAGENET_CLASSNAMES)
    assert list(FACTS.names) == sorted(FACTS.names)


def test_r_and_a_have_200_classes_each_in_order() -> None:
    assert (len(set(FACTS.imagenet_r)), len(set(FACTS.imagenet_a))) == (200, 200)
    assert list(FACTS.imagenet_r) == sorted(FACTS.imagenet_r)
    assert list(FACTS.imagenet_a) == sorted(FACTS.imagenet_a)


def test_113_folders_of_objectnet_stand_for_125_classes() -> None:
    classes = [index for each in FACTS.objectnet.values() for index in each]

    assert (len(FACTS.objectnet), len(classes), len(set(classes))) == (113, 125, 125)


@pytest.mark.realdata
@pytest.mark.skipif("CFFT_REALDATA" not in os.environ, reason="CFFT_REALDATA names no folder")
def test_facts_are_those_that_others_collected() -> None:
    data = Path(os.environ["CFFT_REALDATA"])
    subsets = json.loads((data / "imagenet_subsets.json").read_text())

    assert list(FACTS.folders) == json.loads((data / "imagenet_wnids.json").read_text())
    assert list(FACTS.imagenet_r) == subsets["imagenet_r"]
    assert list(FACTS.imagenet_a) == subsets["imagenet_a"]
    assert {folder: list(each) for folder, each in FACTS.objectnet.items()} == subsets["objectnet"]
