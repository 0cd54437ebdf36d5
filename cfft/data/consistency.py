"""Consistency of the names, labels and classes in a suite; no image is read."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfft.data.images import whole_of
from cfft.data.suite import EvaluationSets, ImageSet, SuiteSets
from cfft.errors import shortened_list
from cfft.plugin.interface import misspelling

OOD_AVERAGE = "ood_average"
"""The name of the average over OOD sets, in place of a set's."""
LONGEST_NAME = 200
"""Longest name in bytes: file systems take 255, and endings are added."""
Values = NDArray[Any]


def inconsistencies(sets: SuiteSets | EvaluationSets) -> Iterator[str]:
    """Yield one line for each bad name and each set that is empty or has impossible labels."""
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
    """Yield one line for each name that several sets share or that no file can have."""
    alike: dict[str, list[str]] = {}
    for images in sets.present:
        alike.setdefault(file_identity(images.name), []).append(images.name)
    for name, *others in alike.values():
        problem = name_problem(name)
        if problem is not None:
            yield f"no set can be called {name!r}: {problem}"
        if others:
            yield _of_same_file(name, others)


def _of_same_file(name: str, others: Sequence[str]) -> str:
    other = next((other for other in others if other != name), None)
    if other is None:
        return f"two sets are called '{name}': rename one, results are kept by name"
    return (
        f"two sets are called '{name}' and '{other}': rename one, their results are files of "
        "these names, which some file systems do not tell apart"
    )


def file_identity(name: str) -> str:
    """Return a key that is the same for names that some file system does not tell apart.

    macOS and Windows ignore case, and macOS ignores how accents are encoded.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def alike_names(names: Iterable[str], known: Collection[str] = ()) -> list[tuple[str, ...]]:
    """Group class names that a text tower reads as one, in the order of their first members.

    CLIP's tokeniser ignores case, the amount of white space and how accents are encoded, and
    prompts have spaces for underscores. `known`: names that several classes have on purpose; a
    group of nothing else is left out.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        plain = unicodedata.normalize("NFC", name).replace("_", " ").lower()
        groups.setdefault(" ".join(plain.split()), []).append(name)
    return [
        tuple(group) for group in groups.values() if len(group) > 1 and not {*group} <= {*known}
    ]


def one_to_a_text_tower(names: Sequence[str]) -> str:
    """Return the message about class names that `alike_names` groups."""
    return (
        f"classes {shortened_list(map(repr, names))} are one to a text tower, which ignores case, "
        "underscores and spaces: give them different names (classes.txt)"
    )


def name_problem(name: str) -> str | None:
    """Return why a set of an evaluation cannot have this name, None where it can."""
    if file_identity(name) == OOD_AVERAGE:
        return "that is the name of the average over OOD sets; use another"
    if not name.isprintable() or not 0 < len(name.encode(errors="replace")) <= LONGEST_NAME:
        return f"use 1 to {LONGEST_NAME} bytes of printable characters (UTF-8)"
    if name.startswith(".") or set(name) & set("/\\"):
        return "do not use / or \\, or a dot at the beginning"
    return None


def contradiction(images: ImageSet, known: int) -> str | None:
    """Return what is wrong with a set of a suite with `known` classes, to go on after its name."""
    return next(_contradictions(images, known), None)


def _contradictions(images: ImageSet, known: int) -> Iterator[str]:
    """Yield what is wrong; each step may rely on those before it."""
    if not len(images):
        yield "has no images"
    if problem := misspelling(whole_of(images), ImageSet):
        yield problem
    labels, classes = np.asarray(images.labels), np.asarray(images.classes)
    if labels.shape != (len(images),):
        yield (
            f"has {len(images)} images and labels of shape {list(labels.shape)}: give one label "
            "each"
        )
    for what, values in (("labels", labels), ("classes", classes)):
        if not np.issubdtype(values.dtype, np.integer):
            found = f"{what} of type {values.dtype}" if values.size else f"no {what}"
            yield f"has {found}: give class indices, integers from 0"
    yield from _of_classes(images, classes, known)
    yield from _of_labels(images, labels)


def _of_classes(images: ImageSet, classes: Values, known: int) -> Iterator[str]:
    outside = classes[(classes < 0) | (classes >= known)]
    if outside.size:
        allowed = f"the suite names {known} classes, so 0 to {known - 1} are allowed"
        yield f"has {shortened_list(outside.tolist())} among its classes: {allowed}"
    indices, counts = np.unique(classes, return_counts=True)
    if twice := indices[counts > 1].tolist():
        yield f"has {shortened_list(twice)} twice among its classes: list each once"
    for index, label in ImageSet.of(images).counts_as.items():
        if not {index, label} <= set(indices.tolist()):
            yield (
                f"counts class {index} as {label} (counts_as): both have to be among its classes: "
                f"{shortened_list(indices.tolist())}"
            )


def _of_labels(images: ImageSet, labels: Values) -> Iterator[str]:
    stands_for = ImageSet.of(images).counts_as
    allowed = sorted({stands_for.get(index, index) for index in images.classes})
    wrong = np.flatnonzero(~np.isin(labels, allowed))
    if wrong.size:
        first = int(wrong[0])
        yield (
            f"has {wrong.size} of {labels.size} labels that are none of its classes, the first "
            f"{labels[first]} of {images.identify(first)}; allowed: {shortened_list(allowed)}"
        )
