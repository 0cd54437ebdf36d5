"""Models that a user names, and their names in tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfft.errors import ConfigError
from cfft.evaluation.models.finding import ModelRef, find_models, labels


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Lay out two runs, a weight file and things that are none of these."""
    for run in ("seed0", "seed1"):
        best = tmp_path / run / "checkpoints" / "best"
        best.mkdir(parents=True)
        (best / "weights.safetensors").touch()
        (tmp_path / run / "config.toml").touch()
    (tmp_path / "soup.pt").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_pattern_gives_runs_and_weight_files_and_nothing_else(files: Path) -> None:
    found = find_models([f"{files}/*"])

    assert [model.path.name for model in found] == ["seed0", "seed1", "soup.pt"]
    assert [model.run is not None for model in found] == [True, True, False]


def test_a_nest_behind_a_pattern_is_that_of_each_weight_file(files: Path) -> None:
    (files / "other.pt").touch()

    found = find_models([f"{files}/*:ema", f"{files}/soup.pt:ema"])

    assert [model.path.name for model in found] == ["other.pt:ema", "soup.pt:ema"]
    assert [model.text for model in found] == [f"{files}/other.pt:ema", f"{files}/soup.pt:ema"]
    assert labels(found) == ["other.pt:ema", "soup.pt:ema"]


@pytest.mark.parametrize("name", ["s[ou]*.pt:ema", "soup.pt:ema"])
def test_a_file_with_a_nest_may_lie_in_the_home_directory(
    name: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(files))

    assert [model.path for model in find_models([f"~/{name}"])] == [files / "soup.pt:ema"]


def test_a_file_whose_name_has_a_colon_is_no_nest(files: Path) -> None:
    (files / "soup:ema.pt").touch()

    assert [model.path.name for model in find_models([f"{files}/*p:ema.pt"])] == ["soup:ema.pt"]


@pytest.mark.parametrize("name", ["no*.pt:ema", "seed0:ema", "*.txt:ema", "soup.pt:"])
def test_a_nest_of_no_weight_file_is_named(name: str, files: Path) -> None:
    with pytest.raises(ConfigError, match=r"not found: give a run directory"):
        find_models([f"{files}/{name}"])


def test_what_a_pattern_gives_is_called_by_its_own_path(files: Path) -> None:
    found = find_models([f"{files}/seed*"])

    assert [model.text for model in found] == [f"{files}/seed0", f"{files}/seed1"]


def test_the_model_before_fine_tuning_is_measured_once_by_either_name() -> None:
    assert find_models(["pretrained", "zero-shot"]) == [ModelRef("zero-shot", None)]


def test_a_model_that_is_named_twice_is_measured_once(files: Path) -> None:
    found = find_models([f"{files}/seed0", f"{files}/*", f"{files}/seed1/../seed0/"])

    assert [model.path.name for model in found] == ["seed0", "seed1", "soup.pt"]


@pytest.mark.parametrize("word", ["zero-shot", "pretrained"])
def test_the_model_before_fine_tuning_has_two_names(word: str) -> None:
    assert find_models([word]) == [ModelRef(word, None)]


def test_a_pattern_that_matches_no_model_is_named(files: Path) -> None:
    with pytest.raises(ConfigError, match=r"\*\.txt' matches no run, checkpoint or weight file"):
        find_models([f"{files}/*.txt"])


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["runs/a", "runs/b"], ["a", "b"]),
        (["one/seed0", "two/seed0", "two/seed1"], ["one/seed0", "two/seed0", "seed1"]),
        (["run/checkpoints/best", "run/checkpoints/last"], None),
        (["/x/run/checkpoints/best", "/y/run/checkpoints/best"], None),
    ],
)
def test_labels_are_as_short_as_they_can_be(paths: list[str], expected: list[str] | None) -> None:
    found = labels([ModelRef(path, Path(path)) for path in paths])

    assert found == (expected or [path.lstrip("/") for path in paths])
