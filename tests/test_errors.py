"""Messages about names that do not exist, and numbers of things."""

from __future__ import annotations

import pytest

from cfft.errors import counted, unknown


def test_few_names_are_all_listed() -> None:
    assert unknown("mask", "objct", ["random", "object"]) == (
        "unknown mask 'objct'; did you mean 'object'? allowed: object, random"
    )


def test_of_many_names_the_nearest_are_listed_first() -> None:
    names = [f"model-{letter}" for letter in "abcdefghijklm"]

    assert unknown("model", "model-mm", names).startswith(
        "unknown model 'model-mm'; did you mean 'model-m'? allowed: model-m, "
    )
    assert unknown("model", "model-mm", names).endswith(" ... and 8 more")


def test_of_many_names_some_are_listed_even_if_none_is_near() -> None:
    message = unknown("model", "?", [f"model-{letter}" for letter in "abcdefghijklm"])

    assert message.startswith("unknown model '?'; allowed: model-")
    assert message.endswith(" ... and 8 more")


def test_no_names_at_all_are_said_to_be_none() -> None:
    assert unknown("tag", "a", []) == "unknown tag 'a'; allowed: none"


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
