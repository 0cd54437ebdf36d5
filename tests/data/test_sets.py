"""Nobody trains on damaged sets or is measured on them, whichever suite they come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest

from cfft import DataError, EvaluationSets, ImageFiles, ImageSubset, SuiteSets
from cfft.data.sets import evaluation_sets, limited, named_sets, training_sets

CLASSES = ("cat", "dog")


def images(name: str, *faults: str) -> ImageFiles:
    return ImageFiles(name, Path(name), ("cat/0.png", "dog/0.png"), (0, 1), (0, 1), CLASSES, faults)


@attrs.frozen
class Suite:
    """Give sets with these faults, and refuse others."""

    train: tuple[str, ...] = ()
    snow: tuple[str, ...] = ()
    refused: Mapping[str, str] = attrs.field(factory=dict)

    def open(self, seed: int) -> SuiteSets:
        whole = images("train", *self.train)
        train, test = (ImageSubset(whole, (i,), name) for i, name in enumerate(("train", "test")))
        return SuiteSets(CLASSES, train, train, test, (images("snow", *self.snow),), self.refused)


class OnlyMeasured(Suite):
    """Measure on snow alone."""

    def evaluation(self, seed: int) -> EvaluationSets:
        return EvaluationSets(CLASSES, None, (images("snow", *self.snow),), refused=self.refused)


def test_sound_sets_are_given_as_the_suite_gives_them() -> None:
    assert [each.name for each in evaluation_sets(Suite(), 0).present] == ["test", "snow"]
    assert training_sets(Suite(), 0).train.labels == (0,)


@pytest.mark.parametrize("use", [training_sets, evaluation_sets])
def test_all_faults_and_refusals_are_named_once(use: object) -> None:
    suite = Suite(("no images of owl",), ("a wolf",), {"rain": "torn\nwet", "fog": "torn\nwet"})

    with pytest.raises(DataError) as caught:
        use(suite, 0)

    assert str(caught.value).splitlines() == ["no images of owl", "a wolf", "torn", "wet"]


def test_of_many_faults_the_first_are_reported_and_where_the_others_are() -> None:
    suite = Suite(tuple(f"no images of class {number}" for number in range(800)))

    with pytest.raises(DataError) as caught:
        evaluation_sets(suite, 0)

    first, *_, last = str(caught.value).splitlines()
    assert first == "no images of class 0"
    assert last == "792 more faults, which cfft data verify --json lists"


def test_faults_of_a_suite_with_sets_to_measure_on_are_found_there() -> None:
    suite = OnlyMeasured(("no images of owl",), ("a wolf",))

    with pytest.raises(DataError, match=r"^a wolf$"):
        evaluation_sets(suite, 0)


def test_training_images_asked_for_by_name_have_to_be_sound() -> None:
    suite = OnlyMeasured(("no images of owl",))

    assert [each.name for each in named_sets(suite, 0, ["snow"])[1]] == ["snow"]
    with pytest.raises(DataError, match="no images of owl"):
        named_sets(suite, 0, ["train"])


class WithoutRain(Suite):
    """Look for rain and do not find it."""

    def open(self, seed: int) -> SuiteSets:
        return attrs.evolve(super().open(seed), absent={"rain": "looked for rain/ in there"})


def test_a_suite_that_serves_training_names_its_absent_sets_too() -> None:
    assert evaluation_sets(WithoutRain(), 0).absent == {"rain": "looked for rain/ in there"}


def test_whoever_asks_for_an_absent_set_hears_what_was_looked_for() -> None:
    with pytest.raises(DataError, match=r"set 'rain' is absent: looked for rain/ in there$"):
        named_sets(WithoutRain(), 0, ["rain"])


def test_measured_images_are_limited_alike_for_every_seed() -> None:
    many = attrs.evolve(images("many"), paths=tuple("abcdefgh"), labels=(0, 1) * 4)
    sets = SuiteSets(CLASSES, many, many, many, (many,))

    found = [limited(sets, 6, seed, measured=2) for seed in (0, 1, 2)]

    sizes = [[len(each) for each in (s.train, s.val, s.test, *s.ood)] for s in found]
    assert sizes == [[6, 2, 2, 2]] * 3
    assert len({s.ood[0].indices for s in found}) == 1
    assert sorted(found[0].ood[0].labels) == [0, 1]
    assert len({s.train.indices for s in found}) > 1
