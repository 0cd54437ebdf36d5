"""What a suite says of its sets has to hold together; numbers alone, no image is read."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfft.data.images import whole_of
from cfft.data.suite import EvaluationSets, ImageSet, SuiteSets
from cfft.errors import shortened
from cfft.plugin.interface import misspelling

OOD_AVERAGE = "ood_average"
"""What stands for the average over OOD sets among sets."""
LONGEST_NAME = 200
"""Bytes that a name may have: file systems take 255, and endings are added."""
Values = NDArray[Any]


def inconsistencies(sets: SuiteSets | EvaluationSets) -> Iterator[str]:
    """Say what is wrong with the sets of a suite: their names, and one line for each bad set.

    A set is bad where it is empty, or where a label or class index means nothing: a model would
    be judged by other classes than the suite means.
    """
    yield from bad_names(sets.for_evaluation() if isinstance(sets, SuiteSets) else sets)
    if len(sets.classes) < 2:
        only = ", ".join(map(repr, sets.classes)) or "none"
        yield f"two or more classes are needed, got {only}: any answer would be right"
    for images in every_set(sets):
        problem = contradiction(images, len(sets.classes))
        if problem is not None:
            yield f"set '{images.name}' {problem}"


def every_set(sets: SuiteSets | EvaluationSets) -> tuple[ImageSet, ...]:
    """Return all sets that were opened, those to train on first."""
    if isinstance(sets, SuiteSets):
        return (sets.train, sets.val, sets.test, *sets.ood)
    return sets.present


def bad_names(sets: EvaluationSets) -> Iterator[str]:
    """Say which names several sets have that models are measured on, or no file can have."""
    alike: dict[str, list[str]] = {}
    for images in sets.present:
        alike.setdefault(file_identity(images.name), []).append(images.name)
    for name, *others in alike.values():
        problem = name_problem(name)
        if problem is not None:
            yield f"a set is called {name!r}, and its predictions are a file named so: {problem}"
        if others:
            yield _of_same_file(name, others)


def _of_same_file(name: str, others: Sequence[str]) -> str:
    other = next((other for other in others if other != name), None)
    if other is None:
        return f"two sets are called '{name}': rename one, results are kept by name"
    return (
        f"two sets are called '{name}' and '{other}': rename one, results are kept in files of "
        "these names, which some file systems take for one"
    )


def file_identity(name: str) -> str:
    """Return what two names share where some file system takes them for one.

    macOS and Windows do not tell cases apart, and macOS not how accents are encoded.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def name_problem(name: str) -> str | None:
    """Say why no set of an evaluation may be called so, None where it may."""
    if file_identity(name) == OOD_AVERAGE:
        return "that is what the average over OOD sets is called; use another name"
    if not name.isprintable() or not 0 < len(name.encode(errors="replace")) <= LONGEST_NAME:
        return f"use printable characters, 1 to {LONGEST_NAME} bytes of them in UTF-8"
    if name.startswith(".") or set(name) & set("/\\"):
        return "use no / and no \\, and no dot at the beginning"
    return None


def contradiction(images: ImageSet, known: int) -> str | None:
    """Go on after "set NAME" with what is wrong with it, where its suite names so many classes."""
    if not len(images):
        return "has no images"
    labels, classes = np.asarray(images.labels), np.asarray(images.classes)
    return (
        misspelling(whole_of(images), ImageSet)
        or _of_shape(labels, len(images))
        or _of_type("labels", labels)
        or _of_type("classes", classes)
        or _of_classes(classes, known)
        or _of_counting(images, set(classes.tolist()))
        or _of_labels(images, labels)
    )


def _of_shape(labels: Values, images: int) -> str | None:
    if labels.shape == (images,):
        return None
    return f"has {images} images and labels of shape {list(labels.shape)}: give one label each"


def _of_type(what: str, values: Values) -> str | None:
    if np.issubdtype(values.dtype, np.integer):
        return None
    found = f"{what} of type {values.dtype}" if values.size else f"no {what}"
    return f"has {found}: give class indices, integers from 0"


def _of_classes(classes: Values, known: int) -> str | None:
    outside = classes[(classes < 0) | (classes >= known)]
    if outside.size:
        allowed = f"the suite names {known} classes, so 0 to {known - 1} are allowed"
        return f"has {shortened(outside.tolist())} among its classes: {allowed}"
    indices, counts = np.unique(classes, return_counts=True)
    twice = indices[counts > 1].tolist()
    return f"has {shortened(twice)} twice among its classes: list each once" if twice else None


def _of_counting(images: ImageSet, classes: Collection[int]) -> str | None:
    for index, label in ImageSet.of(images).counts_as.items():
        if not {index, label} <= set(classes):
            allowed = shortened(sorted(classes))
            return (
                f"counts class {index} as {label} (counts_as): both have to be among its classes: "
                f"{allowed}"
            )
    return None


def _of_labels(images: ImageSet, labels: Values) -> str | None:
    stands_for = ImageSet.of(images).counts_as
    allowed = sorted({stands_for.get(index, index) for index in images.classes})
    wrong = np.flatnonzero(~np.isin(labels, allowed))
    if not wrong.size:
        return None
    first = int(wrong[0])
    return (
        f"has {wrong.size} of {labels.size} labels that are none of its classes, the first "
        f"{labels[first]} of {images.identify(first)}; allowed: {shortened(allowed)}"
    )
