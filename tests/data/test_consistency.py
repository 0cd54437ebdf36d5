"""Sets that contradict themselves are refused when they are opened, whoever made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import pytest
from PIL import Image

import cfft
from cfft import DataError, EvaluationSets, ImageSubset, Suite, SuiteSets
from cfft.data.consistency import alike_names
from cfft.data.sets import evaluation_sets, named_sets, training_sets

NAMES = ("ant", "bee", "cow", "dog")


@attrs.frozen
class Greys:
    """Three grey images of two of four classes."""

    name: str
    labels: Any = (1, 3, 3)
    classes: Sequence[int] = (1, 3)
    counts_as: Mapping[int, int] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return 3

    def read(self, index: int) -> Image.Image:
        return Image.new("RGB", (8, 8))

    def identify(self, index: int) -> str:
        return f"{index}.png"


@attrs.frozen
class Misspelt:
    """One grey image, with a mapping that nobody reads."""

    name: str
    labels: tuple[int, ...] = (1,)
    classes: tuple[int, ...] = (1, 3)
    count_as: Mapping[int, int] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return 1


class Nothing(Greys):
    def __len__(self) -> int:
        return 0


def trained(fog: Greys) -> Suite:
    """Return a suite with three sound sets and `fog`."""

    def open_sets(self: Any, seed: int) -> SuiteSets:
        train, val, test = map(Greys, ("train", "val", "test"))
        return SuiteSets(NAMES, train, val, test, (fog,))

    return cfft.suite("drawn")(type("Drawn", (), {"__doc__": "Give.", "open": open_sets}))()


def measured(fog: Greys) -> Suite:
    """Return a suite that measures on a sound set and on `fog`."""

    def evaluation(self: Any, seed: int) -> EvaluationSets:
        return EvaluationSets(NAMES, Greys("test"), (fog,))

    body = {"__doc__": "Give.", "open": lambda self, seed: None, "evaluation": evaluation}
    return cfft.suite("drawn")(type("Drawn", (), body))()


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"labels": np.array([1, 3, 3], np.uint8), "classes": np.array([1, 3])},
        {"classes": (3, 1)},
        {"classes": (0, 1, 3), "counts_as": {0: 3}},
    ],
)
def test_sound_sets_are_opened(facts: dict[str, Any]) -> None:
    fog = Greys("fog", **facts)

    assert training_sets(trained(fog), 0).ood == (fog,)
    assert evaluation_sets(trained(fog), 0).ood == (fog,)
    assert evaluation_sets(measured(fog), 0).ood == (fog,)


CONTRADICTIONS = [
    (Greys("test"), "two sets are called 'test': rename one"),
    (Greys("TEST"), "two sets are called 'test' and 'TEST': rename one, their results are files"),
    (Nothing("fog"), "set 'fog' has no images"),
    (
        Greys("fog", (1, 2, 0)),
        r"set 'fog' has 2 of 3 labels that are none of its classes, the first 2 of 1\.png; "
        "allowed: 1, 3",
    ),
    (Greys("fog", (1, -1, 3)), "the first -1 of 1"),
    (Greys("fog", (1, 3)), r"3 images and labels of shape \[2\]: give one label each"),
    (Greys("fog", (1.0, 3.0, 3.0)), "labels of type float64: give class indices, integers"),
    (Greys("fog", ("bee", "dog", "dog")), "labels of type <U3"),
    (
        Greys("fog", classes=(1, 3, 4, -1)),
        "has 4, -1 among its classes: the suite names 4 classes, so 0 to 3 are allowed",
    ),
    (Greys("fog", classes=(1, 3, 1)), "has 1 twice among its classes: list each once"),
    (Greys("fog", classes=()), "has no classes"),
    (Greys("fog", counts_as={1: 9}), r"counts class 1 as 9 .*among its classes: 1, 3"),
    (Greys("fog", counts_as={-1: 3}), r"counts class -1 as 3"),
    (
        Misspelt("fog"),
        "set 'fog' has an attribute 'count_as', which cfft does not read: did you mean 'counts_as'",
    ),
    (ImageSubset(whole=Misspelt("all"), indices=(0,), name="fog"), "set 'fog' has an attribute"),
    (
        Greys("fog", classes=(0, 1, 3), counts_as={1: 0}),
        r"has 1 of 3 labels .*the first 1 of 0\.png; allowed: 0, 3",
    ),
]


@pytest.mark.parametrize(("fog", "says"), CONTRADICTIONS)
def test_a_suite_that_contradicts_itself_cannot_be_trained_on(fog: Greys, says: str) -> None:
    with pytest.raises(DataError, match=f"^suite 'drawn': .*{says}"):
        training_sets(trained(fog), 0)


@pytest.mark.parametrize(("fog", "says"), CONTRADICTIONS)
def test_a_suite_that_contradicts_itself_cannot_be_measured_on(fog: Greys, says: str) -> None:
    with pytest.raises(DataError, match=f"^suite 'drawn': .*{says}"):
        evaluation_sets(measured(fog), 0)


def test_training_and_validation_sets_are_looked_at_too() -> None:
    def open_sets(self: Any, seed: int) -> SuiteSets:
        return SuiteSets(NAMES, Greys("train"), Greys("val", (0, 0, 0)), Greys("test"))

    suite = cfft.suite("drawn")(type("Drawn", (), {"__doc__": "Give.", "open": open_sets}))()

    with pytest.raises(DataError, match="set 'val' has 3 of 3 labels"):
        named_sets(suite, 0, ["train"])


@pytest.mark.parametrize(
    "name", ["../fog", "/tmp/fog", "a\\b", ".fog", "fog\n", "", "f" * 201, "\u96ea" * 67]
)
@pytest.mark.parametrize(
    ("suite", "use"),
    [(trained, training_sets), (trained, evaluation_sets), (measured, evaluation_sets)],
)
def test_a_set_whose_name_is_no_file_name_is_refused(suite: Any, use: Any, name: str) -> None:
    with pytest.raises(DataError, match=r"no set can be called .*: (do not )?use "):
        use(suite(Greys(name)), 0)


def test_no_set_may_be_called_as_the_average_is() -> None:
    with pytest.raises(DataError, match=r"'OOD_average'.*: that is the name of the average .*"):
        evaluation_sets(measured(Greys("OOD_average")), 0)


def test_a_suite_with_a_single_class_cannot_be_measured_on() -> None:
    def evaluation(self: Any, seed: int) -> EvaluationSets:
        return EvaluationSets(("cat",), Greys("test", (0, 0, 0), (0,)))

    body = {"__doc__": "Give.", "open": lambda self, seed: None, "evaluation": evaluation}
    suite = cfft.suite("drawn")(type("Drawn", (), body))()

    with pytest.raises(DataError, match="two or more classes are needed, got 'cat'"):
        evaluation_sets(suite, 0)


def test_names_of_sets_may_have_spaces_and_dots_in_the_middle() -> None:
    sets = training_sets(trained(Greys("Real World 1.5")), 0)

    assert sets.ood[0].name == "Real World 1.5"


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["dog", "cat"], []),
        (["Dog", "cat", "dog"], [("Dog", "dog")]),
        (["fire_truck", "fire truck", "fire-truck"], [("fire_truck", "fire truck")]),
        (["cat", "cat", "Cat"], [("cat", "cat", "Cat")]),
        (["caf\u00e9", "cafe", "cafe\u0301"], [("caf\u00e9", "cafe\u0301")]),
        ([" a  b", "a_b", "c", "C"], [(" a  b", "a_b"), ("c", "C")]),
    ],
)
def test_names_that_a_text_tower_reads_as_one_are_grouped(
    names: list[str], groups: list[tuple[str, ...]]
) -> None:
    assert alike_names(names) == groups


def test_names_that_classes_share_on_purpose_are_no_finding() -> None:
    names = ["missile", "crane", "missile", "Crane"]

    assert alike_names(names, ("missile",)) == [("crane", "Crane")]
