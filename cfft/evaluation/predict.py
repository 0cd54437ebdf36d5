"""Predict the classes of images without labels."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

from cfft.data.check import MOST_NAMED, find_unreadable, readable, rest_of
from cfft.data.folders import find_images as images_in
from cfft.data.images import ImageFiles
from cfft.data.passed_over import leads_nowhere, spelled
from cfft.data.suite import ImageSet
from cfft.errors import ConfigError, DataError
from cfft.runtime.devices import make_accelerator
from cfft.runtime.patterns import paths_called
from cfft.runtime.progress import Reporter, Silent
from cfft.scoring.evaluate import Reading, predictions_on
from cfft.scoring.loaded_model import LoadedModel
from cfft.scoring.predictions import Predictions


@attrs.frozen
class RankedClass:
    """Hold one of the likeliest classes of an image; `rank` 1 is the likeliest.

    `class_index` tells classes apart that share a name. `probability`: softmax over all classes.
    """

    path: str
    rank: int
    label: str
    class_index: int
    probability: float


def find_images(words: Iterable[str], reporter: Reporter | None = None) -> list[str]:
    """Return the paths of image files, each once: files, folders at any depth, patterns.

    A pattern is a word that names nothing itself and has * or ? or [ in it; ** goes through
    folders. The reporter gets a note of what was passed over in each folder. Raises DataError
    listing every word that leads to no image.
    """
    hears = reporter or Silent()
    found: dict[str, None] = {}
    lost = []
    for word in words:
        paths = list(_images_of(word, hears))
        found.update(dict.fromkeys(paths))
        if not paths:
            lost.append(f"{word}: {_nothing(word)}")
    if lost:
        raise DataError(*lost)
    return list(found)


def predict(
    model: LoadedModel,
    paths: Sequence[str],
    batch_size: int,
    workers: int | None,
    precision: str,
    reporter: Reporter,
    skip_unreadable: bool = False,
) -> Predictions:
    """Return the predictions for image files, as an evaluation with this batch size gives them.

    Labels are 0 and mean nothing. Every image is decoded once before the model runs; raises
    DataError that lists those that cannot be read. With `skip_unreadable` the reporter is warned of
    each, and it is raised where none is left.
    """
    labels, classes = (0,) * len(paths), tuple(range(len(model.classes)))
    files = ImageFiles("images", Path(), tuple(paths), labels, classes, model.classes)
    images = _readable(files, reporter, skip_unreadable)
    accelerator = make_accelerator(precision)
    reading = Reading(model.preprocessing, batch_size, workers)
    classifier = model.classifier.to(accelerator.device)
    with reporter.task("predicting", len(images)) as advance:
        return predictions_on(classifier, images, reading, accelerator, advance)


def likeliest(predictions: Predictions, classes: Sequence[str], top: int) -> Iterator[RankedClass]:
    """Go through the `top` likeliest classes of each image, in the images' order."""
    chosen = predictions.logits.softmax(dim=1).topk(top, dim=1)  # [N, top]
    rows = zip(predictions.names, chosen.values.tolist(), chosen.indices.tolist(), strict=True)
    for name, shares, indices in rows:
        for rank, (share, index) in enumerate(zip(shares, indices, strict=True), 1):
            yield RankedClass(name, rank, classes[index], index, share)


def check_top(top: int, classes: Sequence[str]) -> None:
    """Raise ConfigError for more classes than there are."""
    if top > len(classes):
        raise ConfigError(f"--top {top}: the model has only {len(classes)} classes")


def _images_of(word: str, reporter: Reporter) -> Iterator[str]:
    path = Path(word)
    if path.is_dir():
        found = images_in(path)
        if found.passed_over:
            reporter.noted(f"passed over in {path}: {spelled(found.passed_over)}")
        yield from (str(path / file) for file in found.paths)
    elif path.exists():
        yield str(path)
    else:
        for match in filter(Path.exists, paths_called(word)):
            yield from _images_of(str(match), reporter)


def _nothing(word: str) -> str:
    if Path(word).is_dir():
        return "no images in this folder"
    if Path(word).is_symlink():
        return f"it is {leads_nowhere(Path(word))}"
    return "nothing matches this pattern" if glob.has_magic(word) else "no such file or folder"


def _readable(images: ImageSet, reporter: Reporter, skip: bool) -> ImageSet:
    with reporter.task("checking images", len(images)) as advance:
        found = find_unreadable([images], advance)
    lines = [f"{image.path}: {image.reason}" for image in found]
    if found and not skip:
        head = f"unreadable images: {len(found)}; fix, remove or skip them (--skip-unreadable)"
        raise DataError(head, *lines[:MOST_NAMED], *rest_of(lines, "unreadable image"))
    for line in lines:
        reporter.warned(f"left out {line}")
    if len(found) == len(images):
        raise DataError(f"no image can be read ({len(found)} tried)")
    return readable(images, found)
