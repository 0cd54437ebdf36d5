"""Segmentations out of an instances file of COCO."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cfft.data.segmentations import Mask, Segmented, chosen, picture_size
from cfft.errors import ConfigError, DataError
from cfft.interfaces import PictureSet


def coco_segmentations(pictures: PictureSet, file: Path, classes: Sequence[str]) -> Segmented:
    """Return where an instances file of COCO (Lin et al. 2014) sees objects of each one's class.

    `classes`: class names by index; a category of the same name has to exist. The object is the
    union of a picture's annotations of that category; crowds belong to neither. Pictures are found
    by `file_name`, with or without folders. Raises DataError, and ConfigError without pycocotools.
    """
    content = _content(file)
    categories = _categories(content, file, [classes[label] for label in set(pictures.labels)])
    images = {PurePosixPath(image["file_name"]).name: image for image in content["images"]}
    names = [PurePosixPath(pictures.identify(index)).name for index in range(len(pictures))]
    known = [index for index, name in enumerate(names) if name in images]
    if not known:
        raise DataError(
            f"--masks {file} knows no picture of set '{pictures.name}': {names[0]}, ..."
        )
    by_image = _annotations(content)

    def segment(sample: PictureSet, index: int) -> Mask:
        image = images[names[known[index]]]
        _require_size(image, picture_size(sample, index), file)
        category = categories[classes[sample.labels[index]]]
        wanted = [a for a in by_image.get(image["id"], ()) if a["category_id"] == category]
        return _painted(wanted, (image["height"], image["width"]))

    return chosen(pictures, known, segment)


def _content(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"--masks {file}: cannot be read as JSON: {error}") from error
    missing = {"images", "annotations", "categories"} - set(content)
    if missing:
        raise DataError(f"--masks {file}: no instances file of COCO: it lacks {min(missing)}")
    found: Mapping[str, Any] = content
    return found


def _categories(
    content: Mapping[str, Any], file: Path, classes: Sequence[str]
) -> Mapping[str, int]:
    ids = {category["name"]: category["id"] for category in content["categories"]}
    lacking = sorted(set(classes) - set(ids))
    if lacking:
        raise DataError(
            f"--masks {file} has no category '{lacking[0]}' ({len(lacking)} of {len(classes)} "
            f"classes are missing); it has {', '.join(sorted(ids))}"
        )
    return ids


def _annotations(content: Mapping[str, Any]) -> Mapping[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = {}
    for annotation in content["annotations"]:
        found.setdefault(annotation["image_id"], []).append(annotation)
    return found


def _require_size(image: Mapping[str, Any], size: tuple[int, int], file: Path) -> None:
    said = (image["height"], image["width"])
    if said != size:
        raise DataError(
            f"--masks {file}: {image['file_name']} has {said[0]} x {said[1]} pixels there, the "
            f"picture {size[0]} x {size[1]}"
        )


def _painted(annotations: Sequence[Mapping[str, Any]], size: tuple[int, int]) -> Mask:
    mask = np.zeros(size, np.uint8)
    for annotation in sorted(annotations, key=lambda each: -each.get("iscrowd", 0)):
        inside = _decoded(annotation["segmentation"], size)
        mask[inside] = 255 if annotation.get("iscrowd", 0) else 1  # objects over crowds
    return mask


def _decoded(segmentation: Any, size: tuple[int, int]) -> Any:
    """Return where a polygon list or a run-length code is: [H, W], bool."""
    try:
        from pycocotools import mask as codec
    except ImportError as error:
        raise ConfigError(
            "--mask-format coco needs the package pycocotools: pip install 'cfft[coco]'"
        ) from error
    if isinstance(segmentation, list):
        code = codec.merge(codec.frPyObjects(segmentation, *size))
    elif isinstance(segmentation["counts"], list):
        code = codec.frPyObjects(segmentation, *size)
    else:
        code = segmentation
    return codec.decode(code).astype(bool)
