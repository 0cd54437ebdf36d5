"""`cfft eval` on ImageNet's shifts with a model that knows every image: labels are the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file

from cfft import Classifier, Head
from cfft.data.loading import to_batch
from cfft.data.transform import image_transform
from cfft_backbones.open_clip.backbone import OpenClipBackbone
from cfft_suites.imagenet.facts import facts

CLIP = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 64, "layers": 1, "head_width": 32},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}
OBJECTNET = "objectnet-1.0/images"
IDS = facts().folders
CLASSES: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "val": {IDS[index]: (index,) for index in (0, 1, 744, 999)},
    "imagenetv2-matched-frequency-format-val": {str(i): (i,) for i in (2, 9, 10, 100, 999)},
    "imagenet-r": {IDS[index]: (index,) for index in facts().imagenet_r[::50]},
    "imagenet-a": {IDS[index]: (index,) for index in facts().imagenet_a[::50]},
    "sketch": {IDS[index]: (index,) for index in (2, 657, 998)},
    OBJECTNET: {"alarm_clock": (409, 530), "air_freshener": (0,), "banana": (954,)},
}
"""The classes whose images lie in each folder; an air freshener is no class of ImageNet."""
COUNTS = {
    "imagenet": 4,
    "imagenet-v2": 5,
    "imagenet-r": 4,
    "imagenet-sketch": 3,
    "objectnet": 3,
    "imagenet-a": 4,
}
Layout = Callable[[Callable[[list[str]], list[str]]], Path]
Measure = Callable[..., dict[str, dict[str, Any]]]


def image(index: int) -> Image.Image:
    """Draw the one image that there is of a class."""
    pixels = np.random.default_rng(index).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def nearest(features: torch.Tensor) -> Head:
    """Return the head on normalised features [K, D] whose largest logit is the nearest's."""
    known = torch.nn.functional.normalize(features)
    weight = known - known.mean(dim=0)  # without what all have in common float32 is exact enough
    bias = -(known.mean(dim=0) @ weight.T) - weight.square().sum(dim=1) / 2
    return Head(weight, bias, normalised=True)


@pytest.fixture(scope="module")
def model(
    write_clip: Callable[..., tuple[Path, Path]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Write a CLIP's config, and a random tower with a head that finds the nearest image."""
    folder = tmp_path_factory.mktemp("known")
    config, weights = write_clip(CLIP, folder)
    built = OpenClipBackbone().build(str(config), str(weights))
    read = image_transform(built.preprocessing)
    images = torch.stack([read(image(index)) for index in range(len(IDS))])
    with torch.no_grad():
        features = built.encoder(to_batch(images, torch.arange(len(IDS))).images)
    save_file(Classifier(built.encoder, nearest(features)).weights(), folder / "known.safetensors")
    return config, folder / "known.safetensors"


@pytest.fixture
def lay(tmp_path: Path) -> Layout:
    """Return `lay(rename)`, which puts all sets into a directory, folders under other names."""

    def put(rename: Callable[[list[str]], list[str]]) -> Path:
        for place, folders in CLASSES.items():
            for name, indices in zip(rename([*folders]), folders.values(), strict=True):
                (tmp_path / place / name).mkdir(parents=True)
                for index in indices:
                    frame = 2 if place == OBJECTNET else 0
                    framed = ImageOps.expand(image(index), frame, "red")
                    framed.save(tmp_path / place / name / f"{index}.png")
        return tmp_path

    return put


@pytest.fixture
def measure(cfft_command: Callable[..., Any], model: tuple[Path, Path], tmp_path: Path) -> Measure:
    """Return `measure(data, *words)`, which gives what is said of each set by name."""

    def measured(data: Path, *words: str) -> dict[str, dict[str, Any]]:
        config, weights = model
        named = ("eval", str(weights), "--model", str(config), "--workers", "0")
        out = ("--backbone.open_clip.quick-gelu", "false", "--out", str(tmp_path / "EVAL"))
        ended = cfft_command(*named, "--suite", "imagenet", "--data", str(data), *out, *words)
        assert ended.code == 0, ended.err
        record = json.loads((tmp_path / "EVAL" / "evaluation.json").read_text())
        (found,) = record["models"]
        return found["sets"]

    return measured


def test_a_model_that_knows_the_images_is_right_on_every_set(lay: Layout, measure: Measure) -> None:
    found = measure(lay(lambda folders: folders))

    assert {name: each["n"] for name, each in found.items()} == COUNTS
    assert {name: each["top1"] for name, each in found.items()} == dict.fromkeys(COUNTS, 1)
    assert [each["classes"] for each in found.values()] == [1000, 1000, 200, 1000, 125, 200]


def test_with_the_folders_names_permuted_it_is_always_wrong(lay: Layout, measure: Measure) -> None:
    found = measure(lay(lambda folders: [*folders[1:], folders[0]]))

    assert {name: each["top1"] for name, each in found.items()} == dict.fromkeys(COUNTS, 0)


def test_the_frame_of_objectnet_is_not_looked_at(lay: Layout, measure: Measure) -> None:
    found = measure(lay(lambda folders: folders), "--border", "0", "--sets", "objectnet")

    assert found["objectnet"]["top1"] < 1
