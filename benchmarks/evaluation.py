"""Time cfft's evaluation against the obvious loop over the same images.

    python benchmarks/evaluation.py [--json] [--model ViT-B-32|small] [--models 4]

The obvious loop: torchvision's ImageFolder, open_clip's preprocessing, one forward pass a batch.
Both measure a model with random weights on drawn JPEGs, in turns in one process; cfft then also
measures several models together. Exits with 1 where the logits differ; times decide nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import attrs
import numpy as np
import open_clip
import torch
from open_clip.transformer import VisionTransformer
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

import cfft
from cfft.model.description import ModelDescription
from cfft.runtime.devices import make_accelerator
from cfft.scoring.evaluate import Reading, predict_together
from cfft.scoring.loaded_model import LoadedModel

CLASSES = 100
FOLDERS = 4
SIZE = (500, 375)  # as ImageNet's images, in pixels
TOLERANCE = 1e-3
SMALL = "small"
Measure = Callable[[], torch.Tensor]


@attrs.frozen
class Setting:
    """Say what is measured."""

    model: str
    models: int
    images: int
    batch: int
    workers: int
    threads: int
    rounds: int


def main() -> int:
    """Measure, print, and tell by the exit code whether the logits agree."""
    options = vars(_parser().parse_args())
    as_json = options.pop("json")
    setting = Setting(**options)
    torch.set_num_threads(setting.threads)
    logging.getLogger().setLevel(logging.ERROR)  # open_clip warns that random weights are random
    measured = measure(setting)
    print(json.dumps(measured, indent=2) if as_json else _sentences(measured))
    return 0 if measured["logits_agree"] else 1


def measure(setting: Setting) -> dict[str, Any]:
    """Return the seconds of each by round, their ratios, and whether they say the same."""
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), setting.images)
        ways = build(setting, Path(folder))
        apart = float((ways["cfft"]() - ways["plain"]()).abs().max())
        seconds = in_turns(ways, setting.rounds)
    return {
        **attrs.asdict(setting),
        "seconds": {name: median(values) for name, values in seconds.items()},
        "plain_over_cfft": _ratio(seconds["plain"], seconds["cfft"]),
        "several_over_one": _ratio(seconds["several"], seconds["cfft"]),
        "logits_apart": apart,
        "logits_agree": apart <= TOLERANCE,
    }


def draw(folder: Path, images: int) -> None:
    """Write JPEGs of smooth noise, which are as large as photographs of their size."""
    rng = np.random.default_rng(0)
    for number in range(images):
        coarse = rng.integers(0, 256, (SIZE[1] // 5, SIZE[0] // 5, 3), dtype=np.uint8)
        path = folder / f"class{number % FOLDERS}" / f"{number:05}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC).save(path, quality=90)


def build(setting: Setting, folder: Path) -> dict[str, Measure]:
    """Return what is timed: the obvious loop, cfft with that model, cfft with several."""
    models = [_model(setting.model, seed) for seed in range(setting.models)]
    images = cfft.class_folders(folder, "drawn")
    return {
        "plain": partial(_plain, models[0], setting, folder),
        "cfft": partial(_own, models[:1], setting, images),
        "several": partial(_own, models, setting, images),
    }


def in_turns(ways: dict[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every way by round; who goes first alternates."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in sorted(ways, reverse=number % 2 == 1):
            start = time.perf_counter()
            ways[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


@attrs.frozen(eq=False)
class Model:
    """Hold one set of weights as open_clip and as cfft run it; `head`: [K, D]."""

    tower: torch.nn.Module
    head: torch.Tensor
    loaded: LoadedModel


def _model(name: str, seed: int) -> Model:
    torch.manual_seed(seed)
    tower = _tower(name).eval()
    size, mean, std = tower.image_size, open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    prepared = cfft.Preprocessing(size, size[0], "bicubic", mean, std)
    encoder = cfft.Encoder(tower, prepared)
    head = 100 * torch.nn.functional.normalize(torch.randn(CLASSES, encoder.dim), dim=-1)
    classifier = cfft.Classifier(encoder, cfft.Head(head, torch.zeros(CLASSES), normalised=True))
    classes = tuple(map(str, range(CLASSES)))
    described = ModelDescription("open_clip", name, name, {}, prepared, True, classes, "zero-shot")
    return Model(tower, head, LoadedModel(classifier, described))


def _tower(name: str) -> torch.nn.Module:
    if name == SMALL:
        return VisionTransformer(224, 32, 128, layers=2, heads=2, mlp_ratio=4, output_dim=64)
    tower: torch.nn.Module = open_clip.create_model(name, pretrained=None).visual
    return tower


def _plain(model: Model, setting: Setting, folder: Path) -> torch.Tensor:
    transform = open_clip.image_transform(
        model.tower.image_size,
        is_train=False,
        mean=open_clip.OPENAI_DATASET_MEAN,
        std=open_clip.OPENAI_DATASET_STD,
    )
    loader = DataLoader(
        ImageFolder(str(folder), transform),
        batch_size=setting.batch,
        num_workers=setting.workers,
    )
    rows = []
    with torch.no_grad():
        for images, _ in loader:
            features = torch.nn.functional.normalize(model.tower(images), dim=-1)
            rows.append(features @ model.head.T)
    return torch.cat(rows)


def _own(models: list[Model], setting: Setting, images: cfft.ImageSet) -> torch.Tensor:
    found = predict_together(
        [model.loaded for model in models],
        images,
        Reading(models[0].loaded.preprocessing, setting.batch, setting.workers),
        make_accelerator("fp32"),
    )
    return next(iter(found)).logits


def _ratio(above: list[float], below: list[float]) -> float:
    return median(one / other for one, other in zip(above, below, strict=True))


def _sentences(measured: dict[str, Any]) -> str:
    seconds, count = measured["seconds"], measured["models"]
    return "\n".join(
        [
            f"{measured['model']}, {measured['images']} images, batch {measured['batch']}, "
            f"{measured['workers']} workers, {measured['threads']} threads, "
            f"{measured['rounds']} rounds",
            f"the obvious loop  {seconds['plain']:7.2f} s, {measured['plain_over_cfft']:.2f} times "
            "as long as cfft",
            f"cfft              {seconds['cfft']:7.2f} s",
            f"cfft, {count} models    {seconds['several']:7.2f} s, "
            f"{measured['several_over_one']:.2f} times as long as one",
            f"logits {'agree' if measured['logits_agree'] else 'DIFFER'}, "
            f"{measured['logits_apart']:.1e} apart",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    model = f"an open_clip model, or {SMALL}: so light that decoding dominates"
    parser.add_argument("--model", default="ViT-B-32", help=model)
    parser.add_argument("--models", type=int, default=4, help="models measured together")
    parser.add_argument("--pictures", dest="images", type=int, default=128, help="JPEGs to decode")
    parser.add_argument("--batch", type=int, default=32, help="images in a batch")
    parser.add_argument("--workers", type=int, default=2, help="processes that decode")
    parser.add_argument("--threads", type=int, default=2, help="threads of the process")
    parser.add_argument("--rounds", type=int, default=5, help="turns to time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
