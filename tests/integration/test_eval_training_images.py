"""`cfft eval` on images that a run may have been trained on: refused, or said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
Alter = Callable[[str, str], Path]


@pytest.fixture
def alter(runs: Path, tmp_path: Path) -> Alter:
    """Return `alter(before, after)`: the run of seed 0, as if configured with `after`."""

    def altered(before: str, after: str) -> Path:
        run = shutil.copytree(runs / "seed0", tmp_path / "runs" / "other")
        text = (run / "config.toml").read_text()
        assert before in text
        (run / "config.toml").write_text(text.replace(before, after))
        return run

    return altered


@pytest.fixture
def other(alter: Alter) -> Path:
    """A run that was trained on the domain that is OOD for the others."""
    return alter('id = "sunny"', 'id = "dark"')


@pytest.fixture
def told(cfft_command: Command, tmp_path: Path) -> Callable[..., str]:
    """Return `told(*words)`: what a command says on stderr, which must succeed."""

    def said(*words: object) -> str:
        own = ("--out", str(tmp_path / "E"), "--workers", "0", "--json")
        ended = cfft_command("eval", *map(str, words), *own)
        assert ended.code == 0, ended.err
        return str(ended.err)

    return said


@pytest.mark.parametrize("change", ['benchmark = "pacs"', 'benchmark = "none"\nold = 1'])
def test_settings_that_leave_the_measured_images_are_no_other_suite(
    runs: Path, alter: Alter, told: Callable[..., str], change: str
) -> None:
    other = alter('benchmark = "none"', change)

    assert "was trained" not in told(runs / "seed0", other)


@pytest.mark.parametrize("place", [".", "checkpoints/last"])
def test_runs_of_other_images_are_not_measured_on_those_of_the_first(
    runs: Path, other: Path, cfft_command: Command, tmp_path: Path, place: str
) -> None:
    words = (str(runs / "seed0"), str(other / place), "--out", str(tmp_path / "E"))

    ended = cfft_command("eval", *words)

    assert (ended.code, ended.out) == (2, "")
    assert (
        f"{runs}/seed0 and {other / place} used different suites (suite.id: sunny -> dark): choose "
        "the images with --suite and its parameters, or measure them separately"
    ) in ended.err
    assert not (tmp_path / "E").exists()


def test_who_may_know_the_chosen_images_from_training_is_named(
    runs: Path, other: Path, world: Path, told: Callable[..., str]
) -> None:
    said = told(runs / "seed0", other, "--suite", "domains", "--data", world)

    assert said.count("was trained with") == 1
    assert (
        f"{other} was trained with other settings (suite.id: dark -> sunny): sets that are "
        "measured may hold images that it was trained on"
    ) in said


def test_an_option_that_settles_what_differs_does_without_a_suite(
    runs: Path, other: Path, told: Callable[..., str]
) -> None:
    said = told(runs / "seed0", other, "--id", "dark")

    assert f"{runs}/seed0 was trained with other settings (suite.id: sunny -> dark)" in said
    assert f"{other} was trained" not in said


def test_a_folder_is_the_same_however_it_is_spelt(
    runs: Path, alter: Alter, world: Path, told: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.parent)
    relative = alter(f'data = "{world}"', f'data = "{world.name}"')

    assert "was trained" not in told(runs / "seed0", relative)


def test_folders_that_lie_in_each_other_may_share_images_whatever_the_suite(
    runs: Path, world: Path, alter: Alter, told: Callable[..., str], tmp_path: Path
) -> None:
    for part in ("train", "test"):
        shutil.copytree(world / "sunny", tmp_path / "images" / "parts" / part)
    run = alter(f'data = "{world}"', f'data = "{tmp_path}/images"')

    said = told(run, "--suite", "folder", "--data", tmp_path / "images" / "parts")

    assert f"{run} was trained with other settings (suite.use: domains -> folder" in said


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "{copy}", "--id", "dark"],
        ["--suite", "domains", "--data", "{copy}", "--id", "dark"],
        ["--suite", "domains", "--data", "{world}", "--benchmark", "pacs"],
    ],
)
def test_nothing_is_said_of_images_elsewhere_and_of_what_only_measuring_asks_for(
    runs: Path, world: Path, told: Callable[..., str], tmp_path: Path, words: list[str]
) -> None:
    copy = shutil.copytree(world, tmp_path / "copy")

    said = told(runs / "seed0", *(word.format(copy=copy, world=world) for word in words))

    assert "was trained" not in said
