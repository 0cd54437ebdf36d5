"""Prompt templates by name, from a file, or none at all."""

from __future__ import annotations

from pathlib import Path

import pytest

import cfft
from cfft.model.prompts import class_prompt, resolve_templates

NAMED = {"simple": ["itap of a {}.", "a {} in a video game."], "openai": ["a bad photo of a {}."]}


def test_a_name_gives_the_templates_of_the_backbone() -> None:
    assert resolve_templates("openai", NAMED) == ["a bad photo of a {}."]


def test_nothing_asked_gives_the_first_templates_of_the_backbone() -> None:
    assert resolve_templates(None, NAMED) == NAMED["simple"]


def test_class_name_stands_for_the_name_alone() -> None:
    assert resolve_templates("class-name", NAMED) == ["{}"]


def test_a_file_gives_one_template_a_line_without_blank_ones(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("a sketch of a {}.\n\n  the {}  \n", encoding="utf-8")

    assert resolve_templates(str(path), NAMED) == ["a sketch of a {}.", "the {}"]


def test_a_line_without_a_place_for_the_name_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("a {}\na dog\n", encoding="utf-8")

    with pytest.raises(cfft.ConfigError, match=r"line 2: 'a dog' has no {}"):
        resolve_templates(str(path), NAMED)


@pytest.mark.parametrize(("content", "words"), [(b"\n\n", "is empty"), (b"\xff\xfe{", "is UTF-16")])
def test_a_file_without_templates_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(content)

    with pytest.raises(cfft.ConfigError, match=f"mine.txt {words}"):
        resolve_templates(str(tmp_path / "mine.txt"), NAMED)


def test_an_unknown_name_is_answered_with_the_names_and_the_other_ways() -> None:
    with pytest.raises(
        cfft.ConfigError, match=r"'opnai'; did you mean 'openai'.*class-name, openai, simple, or a"
    ):
        resolve_templates("opnai", NAMED)


def test_underscores_of_folder_names_become_spaces() -> None:
    assert class_prompt("a photo of a {}.", "polar_bear") == "a photo of a polar bear."


def test_braces_in_a_class_name_stay_as_they_are() -> None:
    assert class_prompt("a {}.", "{}x") == "a {}x."
