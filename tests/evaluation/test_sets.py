"""The sets of an evaluation: shared between seeds where they are the same, and never none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import pytest
from PIL import Image

from cfft.data.suite import EvaluationSets, Expected
from cfft.errors import DataError
from cfft.evaluation.images.sets import open_suite, unmeasured


@attrs.frozen(eq=False)
class Images:
    """Hold grey images whose names begin with `stem`."""

    name: str
    stem: str = "a"
    labels: tuple[int, ...] = (0, 1)
    classes: tuple[int, ...] = (0, 1)

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> Image.Image:
        return Image.new("RGB", (8, 8))

    def identify(self, index: int) -> str:
        return f"{self.stem}{index}"


@attrs.frozen(eq=False)
class Measuring:
    """Give the sets that `sets` makes of a seed."""

    sets: Callable[[int], EvaluationSets]

    def evaluation(self, seed: int) -> EvaluationSets:
        return self.sets(seed)


def test_a_set_is_opened_once_for_all_seeds_that_share_its_images() -> None:
    def sets(seed: int) -> EvaluationSets:
        return EvaluationSets(("x", "y"), Images("test", f"split{seed}-"), (Images("art"),))

    view = open_suite(Measuring(sets), [0, 1])

    assert [(each.images.name, each.seeds) for each in view.sets] == [
        ("test", {0}),
        ("test", {1}),
        ("art", {0, 1}),
    ]
    assert [each.images.identify(0) for each in view.of(1)] == ["split1-0", "a0"]
    assert view.shifts(0) == {"art": (0, 1)}


def test_a_set_with_fewer_images_than_were_published_is_told() -> None:
    @attrs.frozen(eq=False)
    class Published(Measuring):
        def expected(self) -> Mapping[str, Expected]:
            return {"test": Expected(2, 2), "art": Expected(30_000, 2), "fog": Expected(5, 2)}

    sets = EvaluationSets(("x", "y"), Images("test"), (Images("art"), Images("own")))
    suite = Published(lambda seed: sets)

    assert list(unmeasured(suite, open_suite(suite, [0]))) == [
        "set 'art' has 2 of 30,000 images; cfft data verify lists the missing ones"
    ]


def test_folders_that_belong_to_no_set_are_told() -> None:
    @attrs.frozen(eq=False)
    class Unread(Measuring):
        def unread(self) -> tuple[str, ...]:
            return ("sketch", "notes")

    suite = Unread(lambda seed: EvaluationSets(("x", "y"), Images("test")))

    assert list(unmeasured(suite, open_suite(suite, [0]))) == [
        "ignored folders (not train, val, test or ood): sketch, notes"
    ]


def test_what_was_passed_over_in_a_set_is_kept_and_its_doubts_are_told() -> None:
    @attrs.frozen(eq=False)
    class Halved(Images):
        passed_over: Mapping[str, int] = attrs.field(factory=lambda: {".heic": 9})
        doubts: tuple[str, ...] = ("set 'art': 9 files with suffix .heic are passed over",)

    suite = Measuring(
        lambda seed: EvaluationSets(("x", "y"), Images("test", f"{seed}"), (Halved("art"),))
    )
    view = open_suite(suite, [0, 1])

    assert view.passed_over == {"art": {".heic": 9}}
    assert list(unmeasured(suite, view)) == list(Halved("art").doubts)


def test_a_suite_without_any_of_its_sets_says_what_was_looked_for() -> None:
    nothing = EvaluationSets(("x", "y"), None, absent={"art": "looked for art/"})

    with pytest.raises(
        DataError, match=r"none of the suite's sets is here \(art: looked for art/\)"
    ):
        open_suite(Measuring(lambda seed: nothing), [0])
