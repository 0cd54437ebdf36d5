"""Segmentations out of an instances file of COCO."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from cfft.data.suite import ImageSet
from cfft.errors import ConfigError, DataError
from cfft.evaluation.masks.segmentations import Mask, Segmented, chosen, image_size, set_names

K = TypeVar("K", bound=Hashable)
Image = Mapping[str, Any]
_NEEDED = {
    "images": frozenset(("id", "file_name", "height", "width")),
    "annotations": frozenset(("image_id", "category_id")),
    "categories": frozenset(("id", "name")),
}
_REMEDY = "give file_name with the folders that the images lie in"


def coco_segmentations(image_set: ImageSet, file: Path, classes: Sequence[str]) -> Segmented:
    """Return where an instances file of COCO (Lin et al. 2014) sees objects of each one's class.

    `classes`: class names by index; a category of the same name has to exist. The object is the
    union of a image's annotations of that category; crowds belong to neither. The `file_name` of
    image CLASS/NAME.jpg of a set SET is SET/CLASS/NAME.jpg, else CLASS/NAME.jpg, else ends with
    NAME.jpg; one of the three holds for the whole set. Raises DataError, also where a name is that
    of two images, and ConfigError without pycocotools.
    """
    codec = _codec()
    content = _content(file)
    categories = _categories(content, file, [classes[label] for label in set(image_set.labels)])
    images = _images(image_set, content["images"], file)
    if not images:
        raise DataError(
            f"--masks {file} knows no image of set '{image_set.name}': {image_set.identify(0)}, ..."
        )
    found, by_image = list(images.values()), _annotations(content)

    def segment(sample: ImageSet, index: int) -> Mask:
        image = found[index]
        _require_size(image, image_size(sample, index), file)
        category = categories[classes[sample.labels[index]]]
        wanted = [a for a in by_image.get(image["id"], ()) if a["category_id"] == category]
        try:
            return _painted(wanted, (image["height"], image["width"]), codec)
        except DataError as error:
            raise DataError(f"--masks {file}: {sample.identify(index)}: {error}") from error

    return chosen(image_set, list(images), segment)


def _content(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"--masks {file}: cannot be read as JSON: {error}") from error
    problem = next(_problems(content), None)
    if problem is not None:
        raise DataError(f"--masks {file}: {problem}")
    found: Mapping[str, Any] = content
    return found


def _problems(content: Any) -> Iterator[str]:
    """Say why `content` is no instances file, as far as every entry of it needs."""
    if not isinstance(content, dict):
        yield "no instances file of COCO: it is no JSON object"
        return
    for part, keys in _NEEDED.items():
        entries = content.get(part)
        if entries is None:
            yield f"no instances file of COCO: it lacks {part}"
        elif not isinstance(entries, list):
            yield f"{part} is no list"
        else:
            yield from _lacking(part, entries, keys)


def _lacking(part: str, entries: Sequence[Any], keys: frozenset[str]) -> Iterator[str]:
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            yield f"{part}[{place}] is {entry}, no object"
        elif keys - entry.keys():
            yield f"{part}[{place}] lacks {min(keys - entry.keys())}"


def _images(image_set: ImageSet, images: Sequence[Image], file: Path) -> Mapping[int, Image]:
    """Return the image of each image that has one, by index."""
    paths = [PurePosixPath(image_set.identify(index)) for index in range(len(image_set))]
    listed = [(PurePosixPath(str(image["file_name"])), image) for image in images]
    by_path, by_name = _grouped(listed), _grouped((path.name, image) for path, image in listed)
    for folder in (*set_names(image_set), ""):
        found = _matched([PurePosixPath(folder, path) for path in paths], paths, by_path, file)
        if found:
            return found
    return _matched([path.name for path in paths], paths, by_name, file)


def _grouped(entries: Iterable[tuple[K, Image]]) -> Mapping[K, list[Image]]:
    found: dict[K, list[Image]] = {}
    for key, entry in entries:
        found.setdefault(key, []).append(entry)
    return found


def _matched(
    keys: Sequence[K],
    paths: Sequence[PurePosixPath],
    images: Mapping[K, list[Image]],
    file: Path,
) -> Mapping[int, Image]:
    """Return the one image of each image's key; raises DataError where a key means several."""
    found = {index: images[key] for index, key in enumerate(keys) if key in images}
    counts = Counter(keys[index] for index in found)
    for index, same in found.items():
        if len(same) > 1:
            names = " or ".join(repr(image["file_name"]) for image in same)
            raise DataError(f"--masks {file}: {paths[index]} may be {names}: {_REMEDY}")
        if counts[keys[index]] > 1:
            meant = " or ".join(str(paths[other]) for other in found if keys[other] == keys[index])
            name = repr(same[0]["file_name"])
            raise DataError(f"--masks {file}: {name} may be {meant}: {_REMEDY}")
    return {index: image for index, (image,) in found.items()}


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
    return _grouped((annotation["image_id"], annotation) for annotation in content["annotations"])


def _require_size(image: Image, size: tuple[int, int], file: Path) -> None:
    said = (image["height"], image["width"])
    if said != size:
        raise DataError(
            f"--masks {file}: {image['file_name']} has {said[0]} x {said[1]} pixels there, the "
            f"image {size[0]} x {size[1]}"
        )


def _painted(annotations: Sequence[Mapping[str, Any]], size: tuple[int, int], codec: Any) -> Mask:
    mask = np.zeros(size, np.uint8)
    for annotation in sorted(annotations, key=lambda each: -each.get("iscrowd", 0)):
        inside = _outline(annotation, size, codec)
        mask[inside] = 255 if annotation.get("iscrowd", 0) else 1  # objects over crowds
    return mask


def _outline(annotation: Mapping[str, Any], size: tuple[int, int], codec: Any) -> Any:
    """Return where an annotation's object is: [H, W], bool; raises DataError."""
    try:
        inside = codec.decode(_code(annotation["segmentation"], size, codec)).astype(bool)
        if inside.shape != size:
            raise ValueError(f"it has {inside.shape[0]} x {inside.shape[1]} pixels")
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
