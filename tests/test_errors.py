"""Errors of several problems, messages about names that do not exist, and numbers of things."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import pytest

from cfft.errors import CfftError, ConfigError, Problems, counted, shortened_list, unknown_name


def test_an_error_of_several_problems_reads_as_one_a_line() -> None:
    error = ConfigError("no lr", "no model")

    assert error.problems == ("no lr", "no model")
    assert str(error) == "no lr\nno model"


def test_an_error_keeps_its_problems_between_processes() -> None:
    sent = pickle.loads(pickle.dumps(ConfigError("no lr", "no model")))

    assert isinstance(sent, ConfigError)
    assert sent.problems == ("no lr", "no model")


def test_problems_that_a_plug_in_joins_itself_are_told_apart() -> None:
    assert CfftError("no lr\nno model").problems == ("no lr", "no model")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a"], "a"),
        (range(5), "0, 1, 2, 3, 4"),
        ("abcdef", "a, b, c, d, e and 1 more"),
        (range(1205), "0, 1, 2, 3, 4 and 1,200 more"),
    ],
)
def test_of_many_names_five_are_shown(names: Iterable[object], said: str) -> None:
    assert shortened_list(names) == said


def test_few_names_are_all_listed() -> None:
    assert unknown_name("mask", "objct", ["random", "object"]) == (
        "unknown mask 'objct'; did you mean 'object'? allowed: object, random"
    )


def test_names_that_contain_the_unknown_one_are_suggested_where_none_is_spelt_alike() -> None:
    merges = ["wise", "uniform-soup", "greedy-soup"]

    assert unknown_name("merge", "soup", merges) == (
        "unknown merge 'soup'; did you mean 'greedy-soup' or 'uniform-soup'? "
        "allowed: greedy-soup, uniform-soup, wise"
    )
    assert "did you mean" not in unknown_name("merge", "s", merges)


def test_of_many_names_the_nearest_are_listed_first() -> None:
    names = [f"model-{letter}" for letter in "abcdefghijklm"]

    assert unknown_name("model", "model-mm", names).startswith(
        "unknown model 'model-mm'; did you mean 'model-m'? allowed: model-m, "
    )
    assert unknown_name("model", "model-mm", names).endswith(" and 8 more")


def test_of_many_names_some_are_listed_even_if_none_is_near() -> None:
    message = unknown_name("model", "?", [f"model-{letter}" for letter in "abcdefghijklm"])

    assert message.startswith("unknown model '?'; allowed: model-")
    assert message.endswith(" and 8 more")


def test_no_names_at_all_are_said_to_be_none() -> None:
    assert unknown_name("tag", "a", []) == "unknown tag 'a'; allowed: none"


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (1, ("image",), "1 image"),
        (0, ("image",), "0 images"),
        (2048, ("class", "classes"), "2,048 classes"),
    ],
)
def test_one_thing_is_not_several(count: int, words: tuple[str, ...], said: str) -> None:
    assert counted(count, *words) == said


def test_problems_of_several_things_are_raised_together_each_once() -> None:
    problems = Problems()
    with problems.noted("row: "):
        raise ConfigError("no lr", "row: no model")
    with problems.noted("row: "):
        raise ConfigError("no model")

    with pytest.raises(ConfigError) as caught:
        problems.check()

    assert caught.value.problems == ("row: no lr", "row: no model")


def test_nothing_is_raised_where_there_is_no_problem() -> None:
    problems = Problems()
    with problems.noted():
        pass

    problems.check()

    assert problems == []


def test_an_error_that_is_a_bug_is_no_problem_to_note() -> None:
    with pytest.raises(KeyError), Problems().noted():
        raise KeyError("a")
