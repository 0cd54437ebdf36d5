"""Optional members have one default, whether or not a class inherits from the base of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import attrs
import pytest

import cfft
from cfft.plugin.interface import members, misspelling


class Plain:
    """A loss that inherits nothing."""

    weight = 1.0

    def measure(self, outputs: Any) -> None:
        return None


class Inheriting(Plain, cfft.AuxLoss):
    """A loss that inherits the base."""


def test_a_class_without_the_base_has_the_defaults_of_the_base() -> None:
    plain, inheriting = cfft.AuxLoss.of(Plain()), cfft.AuxLoss.of(Inheriting())

    assert (plain.teacher, plain.needs) == (inheriting.teacher, inheriting.needs)
    assert (plain.weight, plain.measure(None)) == (1.0, None)


def test_a_class_without_the_base_keeps_what_it_says_itself() -> None:
    class Suite:
        only_measured = ("size",)

        def unread(self) -> list[str]:
            return ["sketch"]

    told = cfft.Suite.of(Suite())

    assert (told.only_measured, told.unread(), told.expected()) == (("size",), ["sketch"], {})


def test_an_object_with_the_base_stays_itself() -> None:
    loss = Inheriting()

    assert cfft.AuxLoss.of(loss) is loss


def test_members_of_a_class_are_read_without_an_object() -> None:
    class Suite:
        requires: ClassVar[dict[str, str]] = {"wilds": "cfft[wilds]"}

    told = cfft.Suite.of(Suite)

    assert (told.known_sets, told.requires) == ((), {"wilds": "cfft[wilds]"})


def test_a_member_that_fails_is_not_taken_for_one_that_is_lacking() -> None:
    class Broken:
        @property
        def counts_as(self) -> dict[int, int]:
            return self.table  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match="table"):
        _ = cfft.ImageSet.of(Broken()).counts_as


class Images(cfft.ImageSet):
    """Images that hold members as ordinary attributes."""

    classes = (0, 1)

    def __init__(self, name: str) -> None:
        self.name, self.labels, self.cropped = name, (0,), True

    def __len__(self) -> int:
        return 1

    def read(self, index: int) -> Any:
        return None

    def identify(self, index: int) -> str:
        return "0"


def test_members_may_be_set_in_init() -> None:
    images = Images("a")

    assert (images.name, images.cropped, images.faults) == ("a", True, ())


def test_members_may_be_fields_of_a_slotted_class() -> None:
    @attrs.frozen
    class Fields(Images):
        name: str
        labels: tuple[int, ...]
        counts_as: dict[int, int]

    assert Fields("a", (1,), {0: 1}).counts_as == {0: 1}


def test_members_may_be_fields_of_a_dataclass() -> None:
    @dataclass(frozen=True)
    class Fields(Images):
        name: str
        labels: tuple[int, ...]
        counts_as: dict[int, int]

    assert Fields("a", (1,), {0: 1}).counts_as == {0: 1}
    with pytest.raises(TypeError, match="missing 1 required"):
        Fields("a", (1,))  # type: ignore[call-arg]


def test_a_required_member_that_is_missing_is_named() -> None:
    class Nameless(Images):
        def __init__(self) -> None:
            pass

    with pytest.raises(AttributeError, match="Nameless lacks name"):
        _ = Nameless().name


def test_a_strategy_that_inherits_an_abstract_method_is_told_to_write_it() -> None:
    with pytest.raises(TypeError, match=r"has no method refill\(\)"):
        cfft.fill("lazy")(type("Lazy", (cfft.Refiller,), {}))


def test_optional_members_are_those_with_a_default() -> None:
    assert list(members(cfft.AuxLoss, required=False)) == [
        *("example", "teacher", "view", "further_views", "needs")
    ]
    assert list(members(cfft.AuxLoss, required=True)) == ["measure", "weight"]


@pytest.mark.parametrize(
    ("base", "name", "meant"),
    [
        (cfft.ImageSet, "count_as", "counts_as"),
        (cfft.ImageSet, "countsAs", "counts_as"),
        (cfft.ImageSet, "crop", "cropped"),
        (cfft.ImageSet, "fault", "faults"),
        (cfft.Refiller, "smallest_batches", "smallest_batch"),
        (cfft.AuxLoss, "need", "needs"),
        (cfft.Suite, "only_measure", "only_measured"),
        (cfft.Suite, "expect", "expected"),
    ],
)
def test_a_misspelt_member_is_told_which_is_meant(base: Any, name: str, meant: str) -> None:
    problem = misspelling(type("Given", (), {name: None}), base)

    assert problem is not None
    assert problem.startswith(f"has an attribute '{name}', which cfft does not read: did")
    assert f"did you mean '{meant}'?" in problem


@pytest.mark.parametrize(
    "names",
    [
        ("masks", "mask"),
        ("task", "masked", "counts", "original_size", "class_names"),
        ("_count_as",),
        ("faults",),
    ],
)
def test_what_is_no_misspelling_is_left_alone(names: tuple[str, ...]) -> None:
    given = type("Given", (), dict.fromkeys(names))

    assert misspelling(given, cfft.ImageSet) is None


def test_a_parameter_is_never_a_misspelling() -> None:
    given = type("Given", (), {"need": None})

    assert misspelling(given, cfft.AuxLoss, ["need"]) is None


def test_what_an_object_holds_is_looked_at_too() -> None:
    images = Images("a")
    images.count_as = {0: 1}  # type: ignore[attr-defined]

    assert "did you mean 'counts_as'?" in (misspelling(images, cfft.ImageSet) or "")
