"""Whom models are compared with: a model, published accuracies, other models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cfft.errors import ConfigError, DataError
from cfft.evaluation.baseline import baseline_line, chosen_baseline
from cfft.evaluation.measured import Identity

RUN = Identity("seed0", "runs/seed0", "run", "object + single", 0)
OTHER = Identity("seed1", "runs/seed1", "run", "object + single", 1)
BEFORE = Identity("zero-shot", "zero-shot", "zero-shot", "zero-shot")


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
    assert baseline_line("object*", [RUN, OTHER, BEFORE]).labels == {"seed0", "seed1"}


def test_one_model_makes_no_line() -> None:
    with pytest.raises(ConfigError, match="a line takes two models or more, here are 1"):
        baseline_line("zero-shot", [RUN, OTHER, BEFORE])


def test_published_accuracies_are_read_from_lines(tmp_path: Path) -> None:
    points = [{"model_name": "a", "Photo": 0.8, "Art": 0.5}, {"Photo": 0.9, "Art": 0.6}]
    (tmp_path / "line.jsonl").write_text("\n".join(map(json.dumps, points)))

    found = baseline_line(str(tmp_path / "line.jsonl"), [RUN])

    assert found.points[0] == {"Photo": 0.8, "Art": 0.5}
    assert len(found.points) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"Photo": 80.1}', r"line.jsonl, line 1: Photo is 80.1; accuracies are shares 0..1"),
        ('{"Photo": 0.8}\nPhoto', r"line.jsonl, line 2: no JSON object"),
    ],
)
def test_a_line_that_is_no_accuracies_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "line.jsonl").write_text(text)

    with pytest.raises(DataError, match=message):
        baseline_line(str(tmp_path / "line.jsonl"), [RUN])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl cannot be read"):
        baseline_line(str(tmp_path / "nowhere.jsonl"), [RUN])
