"""Segmentations from a COCO instances file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cfft.data.suite import ImageSet
from cfft.errors import ConfigError, DataError, shortened_list
from cfft.evaluation.masks.segmentations import (
    IGNORED,
    Mask,
    Segmented,
    chosen,
    image_size,
    matched,
    shared_file,
)
from cfft.runtime.documents import read_json_file

Entry = Mapping[str, Any]
_NEEDED = {
    "images": frozenset(("id", "file_name", "height", "width")),
    "annotations": frozenset(("image_id", "category_id")),
    "categories": frozenset(("id", "name")),
}
_REMEDY = "give file_name with the folders that the images lie in"


def coco_segmentations(image_set: ImageSet, file: Path, classes: Sequence[str]) -> Segmented:
    """Return the segmentations of a COCO instances file (Lin et al. 2014), by each image's class.

    `classes`: class names by index; a category of the same name has to exist. The object is the
    union of an image's annotations of that category; crowds belong to neither. Images are found by
    `file_name` as `matched` does; one of the third form may begin with any folders. Raises
    DataError, also where a name is that of two images, and ConfigError without pycocotools.
    """
    codec = _codec()
    content = _content(file)
    categories = _categories(content, file, [classes[label] for label in set(image_set.labels)])
    images = _images(image_set, content["images"], file)
    if not images:
        raise DataError(
            f"--masks {file} lists no image of set '{image_set.name}': {image_set.identify(0)}, ..."
        )
    annotations = defaultdict(list)
    for annotation in content["annotations"]:
        annotations[annotation["image_id"], annotation["category_id"]].append(annotation)

    def segment(index: int) -> Mask:
        image = images[index]
        size, said = image_size(image_set, index), (image["height"], image["width"])
        if said != size:
            raise DataError(
                f"--masks {file}: {image['file_name']} has {said[0]} x {said[1]} pixels there, but "
                f"the image has {size[0]} x {size[1]}"
            )
        category = categories[classes[image_set.labels[index]]]
        wanted = annotations.get((image["id"], category), [])
        try:
            return _painted(wanted, size, codec)
        except DataError as error:
            raise DataError(f"--masks {file}: {image_set.identify(index)}: {error}") from error

    return chosen(image_set, images, segment)


def _content(file: Path) -> Mapping[str, Any]:
    try:
        content = read_json_file(file)
    except (OSError, ValueError) as error:
        raise DataError(f"--masks {file}: cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"--masks {file}: not a COCO instances file: it is not a JSON object")
    for problem in _problems(content):
        raise DataError(f"--masks {file}: {problem}")
    return content


def _problems(content: Mapping[str, Any]) -> Iterator[str]:
    """Say why `content` is not an instances file, as far as every entry of it needs."""
    for part, keys in _NEEDED.items():
        entries = content.get(part)
        if entries is None:
            yield f"not a COCO instances file: it lacks {part}"
        elif not isinstance(entries, list):
            yield f"{part} is not a list"
        else:
            for place, entry in enumerate(entries):
                if not isinstance(entry, dict):
                    yield f"{part}[{place}] is {entry}, not an object"
                elif keys - entry.keys():
                    yield f"{part}[{place}] lacks {min(keys - entry.keys())}"
                else:
                    wrong = [key for key in sorted(keys) if not isinstance(entry[key], (int, str))]
                    wrong += [] if isinstance(entry.get("iscrowd", 0), int) else ["iscrowd"]
                    yield from (f"{part}[{place}]: {key} is {entry[key]!r}" for key in wrong)


def _images(image_set: ImageSet, images: Sequence[Entry], file: Path) -> Mapping[int, Entry]:
    """Return the entry of each image that has one, by index; raises DataError for several."""
    paths = [PurePosixPath(str(image["file_name"])) for image in images]
    by_path = _places(paths)
    by_name = _places([PurePosixPath(path.name) for path in paths])
    found = matched(image_set, by_path.get, by_name.get)
    for index, places in found.items():
        if len(places) > 1:
            several = shortened_list(
                (repr(images[place]["file_name"]) for place in places), between=" or "
            )
            raise DataError(
                f"--masks {file}: {image_set.identify(index)} may be {several}: {_REMEDY}"
            )
    shared = shared_file(found)
    if shared:
        name = images[found[shared[0]][0]]["file_name"]
        meant = shortened_list(map(image_set.identify, shared), between=" or ")
        raise DataError(f"--masks {file}: {name!r} may be {meant}: {_REMEDY}")
    return {index: images[place] for index, (place,) in found.items()}


def _places(paths: Sequence[PurePosixPath]) -> Mapping[PurePosixPath, tuple[int, ...]]:
    """Return where each path stands in a list."""
    found: dict[PurePosixPath, tuple[int, ...]] = {}
    for place, path in enumerate(paths):
        found[path] = (*found.get(path, ()), place)
    return found


def _categories(
    content: Mapping[str, Any], file: Path, classes: Sequence[str]
) -> Mapping[str, int]:
    ids = {category["name"]: category["id"] for category in content["categories"]}
    lacking = sorted(set(classes) - set(ids))
    if lacking:
        raise DataError(
            f"--masks {file} has no category '{lacking[0]}' ({len(lacking)} of {len(classes)} "
            f"classes are missing); it has {shortened_list(sorted(map(str, ids)))}"
        )
    return ids


def _painted(annotations: Sequence[Mapping[str, Any]], size: tuple[int, int], codec: Any) -> Mask:
    mask = np.zeros(size, np.uint8)
    for annotation in sorted(annotations, key=lambda each: -each.get("iscrowd", 0)):
        inside = _outline(annotation, size, codec)
        mask[inside] = IGNORED if annotation.get("iscrowd", 0) else 1  # objects over crowds
    return mask


def _outline(annotation: Mapping[str, Any], size: tuple[int, int], codec: Any) -> Any:
    """Return where an annotation's object is: [H, W], bool; raises DataError."""
    try:
        code = _code(annotation["segmentation"], size, codec)
        height, width = code["size"]
        if (height, width) != size:  # before as many pixels are made
            raise ValueError(f"it has {height} x {width} pixels")
        inside = codec.decode(code).astype(bool)
    except Exception as error:  # pycocotools raises whatever an outline that is none leads it to
        raise DataError(
            f"annotation {annotation.get('id')} has no outline that can be read: "
            f"{str(error) or type(error).__name__}"
        ) from error
    return inside


def _code(segmentation: Any, size: tuple[int, int], codec: Any) -> Any:
    """Return the run-length code of a list of polygons or of plain counts."""
    if isinstance(segmentation, list):
        return codec.merge(codec.frPyObjects(segmentation, *size))
    if isinstance(segmentation["counts"], list):
        return codec.frPyObjects(segmentation, *size)
    return segmentation


def _codec() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise ConfigError(
            "--mask-format coco needs the package pycocotools: pip install 'cfft[coco]'"
        ) from error
    return mask
