"""Whom models are compared with: a model, published accuracies, other models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cfft.errors import ConfigError, DataError
from cfft.evaluation.compare.baseline import BaselineLine, baseline_line, chosen_baseline
from cfft.evaluation.files.evaluation import Identity

RUN = Identity("seed0", "runs/seed0", "run", "object + single", 0)
OTHER = Identity("seed1", "runs/seed1", "run", "object + single", 1)
THIRD = Identity("seed2", "runs/seed2", "run", "object + single", 2)
BEFORE = Identity("zero-shot", "zero-shot", "zero-shot", "zero-shot")


def line_of(folder: Path, *points: dict[str, object]) -> BaselineLine:
    (folder / "line.jsonl").write_text("\n".join(map(json.dumps, points)))
    return baseline_line(str(folder / "line.jsonl"), [RUN])


def test_models_are_compared_with_the_one_before_fine_tuning() -> None:
    assert chosen_baseline(None, [RUN, BEFORE]) == "zero-shot"


def test_without_it_they_are_compared_with_the_first() -> None:
    assert chosen_baseline(None, [RUN, OTHER]) == "seed0"


def test_a_model_alone_is_compared_with_nothing() -> None:
    assert chosen_baseline(None, [RUN]) is None


@pytest.mark.parametrize("asked", ["seed1", "runs/seed1"])
def test_the_baseline_is_named_by_label_or_by_path(asked: str) -> None:
    assert chosen_baseline(asked, [RUN, OTHER]) == "seed1"


def test_an_unknown_baseline_is_answered_with_the_models() -> None:
    with pytest.raises(ConfigError, match=r"--baseline: unknown model 'seed2'.*seed0, seed1"):
        chosen_baseline("seed2", [RUN, OTHER])


def test_a_group_may_make_the_line() -> None:
    found = baseline_line("object*", [RUN, OTHER, THIRD, BEFORE])

    assert found.labels == {"seed0", "seed1", "seed2"}


def test_two_models_make_no_line() -> None:
    with pytest.raises(ConfigError, match="a line needs 3 models or more, got 2"):
        baseline_line("object*", [RUN, OTHER, BEFORE])


def test_published_accuracies_are_read_from_lines(tmp_path: Path) -> None:
    first = {"model_name": "a", "seed": 3, "alpha": 0.5, "Photo": 0.8, "Art": 0.5}

    found = line_of(tmp_path, first, {"Photo": 0.9}, {"Photo": 0.9, "Art": 0.6})

    assert found.points[0] == {"Photo": 0.8, "Art": 0.5}
    assert len(found.points) == 3


def test_a_file_whose_names_match_no_set_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    line = line_of(tmp_path, *[{"ImageNet": 0.8, "ImageNetV2": 0.5}] * 3)

    with pytest.raises(
        DataError,
        match=r"3 models with accuracies on photo and on one of art; its sets .* ImageNet",
    ):
        line.check({"photo": "id", "art": "ood"})


def test_case_and_punctuation_of_a_files_names_do_not_count(tmp_path: Path) -> None:
    line_of(tmp_path, *[{"Photo": 0.8, "Art-1": 0.5}] * 3).check({"photo": "id", "art1": "ood"})


def test_two_names_for_one_set_are_refused(tmp_path: Path) -> None:
    line = line_of(tmp_path, *[{"Photo": 0.8, "art-1": 0.5, "art_1": 0.6}] * 3)

    with pytest.raises(DataError, match="'art-1' and 'art_1' are both the set 'art1'"):
        line.check({"photo": "id", "art1": "ood"})


def test_sets_that_differ_in_punctuation_alone_go_by_their_own_names(tmp_path: Path) -> None:
    line = line_of(tmp_path, *[{"photo": 0.8, "art-1": 0.5, "art1": 0.6, "ART1": 0.7}] * 3)

    line.check({"photo": "id", "art-1": "ood", "art1": "ood"})


def test_a_line_takes_an_id_set() -> None:
    line = baseline_line("object*", [RUN, OTHER, THIRD])

    with pytest.raises(DataError, match="needs an ID set and OOD sets, got: art"):
        line.check({"art": "ood"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"Photo": 80.1}', r"line.jsonl, line 1: Photo is 80.1, allowed: shares from 0 to 1"),
        ('{"Photo": 0.8}\nPhoto', r"line.jsonl, line 2: no JSON"),
    ],
)
def test_a_line_that_is_no_accuracies_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "line.jsonl").write_text(text)

    with pytest.raises(DataError, match=message):
        baseline_line(str(tmp_path / "line.jsonl"), [RUN])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl: cannot be read"):
        baseline_line(str(tmp_path / "nowhere.jsonl"), [RUN])
