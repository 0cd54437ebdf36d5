"""Time how images reach a model, against the obvious loader and a fast one, and what it holds.

    python benchmarks/data.py [--json] [--images 1000] [--workers 2] [--rounds 7]
    python benchmarks/data.py --index 1300000 [--workers 2]

All read the same drawn JPEGs in turns in one process, with as many workers:

- plain: torchvision's ImageFolder and open_clip's transform, as most programs do it;
- first: cfft's loader, decoding;
- prepared: cfft's loader after `cfft data prepare`;
- kept: cfft's loader in a later epoch, from memory;
- turbo: torchvision's own decoder (libjpeg-turbo) and its transforms of tensors, whose pixels
  differ a little.

Exits with 1 where what cfft gives differs from the plain loader's pixels; times decide nothing. It
also times the check before a run, at first and when all files are known. With --index nothing is
timed: a set of so many entries is loaded in the order of an epoch, and what the process and its
workers hold is compared with a small set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import attrs
import open_clip
import psutil
import torch
from evaluation import draw
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.io import ImageReadMode, decode_image, read_file
from torchvision.transforms import v2

from cfft.data import file_states
from cfft.data.check import find_unreadable
from cfft.data.images import ImageFiles, ImageSubset, class_folders
from cfft.data.kept import KeptSets
from cfft.data.loading import Loader
from cfft.data.prepared.store import PreparedSets
from cfft.data.preparing import prepare_sets
from cfft.records import Preprocessing
from cfft.runtime.progress import Silent
from cfft.training.batches import BatchPlan

SIZE = 224
PREPROCESSING = Preprocessing((SIZE, SIZE), SIZE, "bicubic", (0.5,) * 3, (0.5,) * 3)
BATCH = 64
STEPS = 2000
SMALL_INDEX = 10_000
STORED = ("prepared", "kept")
LOADERS = ("first", *STORED, "turbo")
Way = Callable[[], Iterable[Tensor]]


@attrs.frozen
class Setting:
    """Say what is measured."""

    images: int
    workers: int
    rounds: int


def main() -> int:
    """Measure, print, and tell by the exit code whether the pixels agree."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--index", type=int)
    parser.add_argument("--hold", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hold is not None:
        print(held(options.hold, options.workers))
        return 0
    if options.index is not None:
        found = index_memory(options.index, options.workers)
        print(json.dumps(found, indent=2) if options.json else _memory_words(found))
        return 0
    measured = measure(Setting(options.images, options.workers, options.rounds))
    print(json.dumps(measured, indent=2) if options.json else _sentences(measured))
    return 0 if measured["pixels_agree"] else 1


def measure(setting: Setting) -> dict[str, Any]:
    """Return images per second of each loader, how many times the plain one's, and the check's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "images")
        folder.mkdir()
        os.environ.update(XDG_CACHE_HOME=str(Path(name, "cache")))
        draw(folder, setting.images)
        time.sleep(file_states._UNSETTLED / 1e9)  # or nothing could be remembered of the files
        images = class_folders(folder, "drawn")
        checks = [_seconds(partial(find_unreadable, [images])) for _ in range(2)]
        preparing = _seconds(
            partial(prepare_sets, [images], PREPROCESSING, setting.workers, Silent())
        )
        ways = build(setting, folder, images)
        expected = _sums((images * 255).round() for images in ways["plain"]())
        agree = all(torch.equal(_sums(ways[way]()), expected) for way in ("first", *STORED))
        consumed: dict[str, Callable[[], Any]] = {
            name: partial(_consume, way) for name, way in ways.items()
        }
        seconds = in_turns(consumed, setting)
    plain = seconds["plain"]
    return {
        **attrs.asdict(setting),
        "images_per_second": {way: setting.images / median(s) for way, s in seconds.items()},
        "over_plain": {
            way: median(one / other for one, other in zip(plain, seconds[way], strict=True))
            for way in LOADERS
        },
        "pixels_agree": agree,
        "preparing_seconds": preparing,
        "check_seconds": {"first": checks[0], "known": checks[1]},
    }


def build(setting: Setting, folder: Path, images: ImageFiles) -> dict[str, Way]:
    """Return what is timed: each yields batches of all images, in order."""
    kept = KeptSets.within(10**12, [images], PREPROCESSING)
    given = (images, PREPROCESSING, setting.workers, False, None)
    loaders = {
        "first": lambda: Loader(*given),
        "kept": lambda: Loader(*given, kept=kept.of(images, PREPROCESSING)),
        "prepared": lambda: Loader(*given, prepared=PreparedSets().of(images, PREPROCESSING)),
    }
    return {
        "plain": partial(_plain, folder, setting.workers),
        "turbo": partial(_turbo, folder, setting.workers),
        **{name: partial(_own, make) for name, make in loaders.items()},
    }


def in_turns(ways: dict[str, Callable[[], Any]], setting: Setting) -> dict[str, list[float]]:
    """Return the seconds of every way by round; who goes first alternates.

    Without workers they are processor seconds, which other work on the machine hardly changes.
    """
    clock = time.perf_counter if setting.workers else time.process_time
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(setting.rounds):
        for name in sorted(ways, reverse=number % 2 == 1):
            start = clock()
            ways[name]()
            seconds[name].append(clock() - start)
    return seconds


def _own(make: Callable[[], Loader]) -> Iterator[Tensor]:
    loader = make()
    count = len(loader._images)
    wanted = [list(range(count))[i : i + BATCH] for i in range(0, count, BATCH)]
    return (images for images, _, _ in loader.load(wanted))


def _plain(folder: Path, workers: int) -> Iterator[Tensor]:
    transform = open_clip.image_transform(SIZE, is_train=False, mean=(0, 0, 0), std=(1, 1, 1))
    loader = DataLoader(ImageFolder(str(folder), transform), BATCH, num_workers=workers)
    return (images for images, _ in loader)


def _turbo(folder: Path, workers: int) -> Iterator[Tensor]:
    transform = v2.Compose([v2.Resize(SIZE, v2.InterpolationMode.BICUBIC), v2.CenterCrop(SIZE)])
    files = ImageFolder(str(folder), transform, loader=_decoded)
    return (images for images, _ in DataLoader(files, BATCH, num_workers=workers))


def _decoded(path: str) -> Tensor:
    return decode_image(read_file(path), ImageReadMode.RGB)


def _consume(way: Way) -> None:
    for images in way():
        images[0, 0, 0, 0].item()


def _sums(batches: Iterable[Tensor]) -> Tensor:
    """Return the sum of the pixels of each image: [N]."""
    return torch.cat([images.sum(dim=(1, 2, 3), dtype=torch.int64) for images in batches])


def _seconds(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


class SimulatedFiles(ImageFiles):
    """Files that are not there: each read looks its path up and returns the same grey image."""

    def read(self, index: int) -> Image.Image:
        """Return a grey image, having looked at the path of image `index`."""
        return Image.new("RGB", (32, 32), (len(self.paths[index]),) * 3)


def index_memory(entries: int, workers: int) -> dict[str, float]:
    """Return the MiB that sets of a few entries and of `entries` hold, workers included."""
    small, large = (
        float(
            subprocess.run(
                [sys.executable, __file__, "--hold", str(n), "--workers", str(workers)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for n in (SMALL_INDEX, entries)
    )
    return {"entries": entries, "workers": workers, "small": small, "large": large}


def held(entries: int, workers: int) -> float:
    """Return the most that loading holds over an epoch's first STEPS batches, in MiB.

    As suites of folders do it: a training part drawn from a whole set.
    """
    classes = 1000
    whole = SimulatedFiles(
        "simulated",
        Path("/images/train"),
        tuple(f"n{n % classes:08}/n{n % classes:08}_{n}.JPEG" for n in range(entries)),
        tuple(n % classes for n in range(entries)),
        tuple(range(classes)),
        tuple(map(str, range(classes))),
    )
    part = ImageSubset(whole, tuple(n for n in range(entries) if n % 10), "part")
    plan = BatchPlan(len(part), BATCH, 1, BATCH)
    tiny = attrs.evolve(PREPROCESSING, size=(8, 8), resize=8)
    loader = Loader(part, tiny, workers)
    most, done = 0.0, 0
    while done < STEPS:
        for _ in loader.load(plan.micro_batches(0, 0, 0), plan.numbers(0, 0)):
            done += 1
            if done % 100 == 0:
                most = max(most, _proportional())
            if done == STEPS:
                break
    return most


def _proportional() -> float:
    """Return the memory of this process and its workers, what they share counted once, in MiB."""
    own = psutil.Process()
    pages = (p.memory_full_info().pss for p in (own, *own.children(recursive=True)))
    return sum(pages) / 2**20


def _memory_words(found: dict[str, float]) -> str:
    return (
        f"{found['entries']:,} entries, {found['workers']} workers: {found['large']:,.0f} MiB, "
        f"{found['large'] - found['small']:,.0f} MiB more than {SMALL_INDEX:,} entries"
    )


def _sentences(measured: dict[str, Any]) -> str:
    speeds, ratios, checks = (
        measured[name] for name in ("images_per_second", "over_plain", "check_seconds")
    )
    lines = [
        f"{measured['images']} images, {measured['workers']} workers, {measured['rounds']} rounds",
        f"plain     {speeds['plain']:8.0f} images/s",
        *(f"{way:9} {speeds[way]:8.0f} images/s, {ratios[way]:.2f} x plain" for way in LOADERS),
        f"pixels {'agree' if measured['pixels_agree'] else 'DIFFER'}",
        f"preparing took {measured['preparing_seconds']:.1f} s; the check before a run "
        f"{checks['first']:.2f} s, and {checks['known']:.2f} s where all files are known",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
