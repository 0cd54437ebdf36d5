"""`cfft eval`: runs side by side, on the images that are theirs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Command = Callable[..., Any]
Evaluate = Callable[..., dict[str, Any]]


def logits(folder: Path, name: str) -> np.ndarray:
    with np.load(folder / f"{name}.npz") as stored:
        return stored["logits"]


def names(folder: Path, name: str) -> list[str]:
    with np.load(folder / f"{name}.npz") as stored:
        return stored["names"].tolist()


def by_label(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {model["model"]: model for model in record["models"]}


def test_each_run_is_measured_on_the_test_images_of_its_own_seed(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    record = evaluate(runs / "seed*")

    kept = tmp_path / "EVAL" / "predictions"
    assert list(by_label(record)) == ["seed0", "seed1"]
    assert names(kept / "seed0", "sunny") == names(runs / "seed0/predictions", "sunny")
    assert names(kept / "seed1", "sunny") == names(runs / "seed1/predictions", "sunny")
    assert names(kept / "seed0", "sunny") != names(kept / "seed1", "sunny")
    np.testing.assert_allclose(
        logits(kept / "seed1", "sunny"), logits(runs / "seed1/predictions", "sunny"), atol=1e-4
    )


def test_runs_that_differ_in_their_seed_are_one_group_and_compared_on_common_images(
    runs: Path, evaluate: Evaluate
) -> None:
    record = evaluate(runs / "seed0", runs / "seed1")

    (group,) = record["groups"]
    (difference,) = record["differences"]
    assert (group["group"], group["models"]) == ("object + single", ["seed0", "seed1"])
    assert group["ood_average"]["count"] == 2
    assert (difference["a"], difference["b"]) == ("seed1", "seed0")
    assert difference["sets"].keys() == {"dark"}


def test_results_are_those_of_the_run_and_of_its_model_before(
    runs: Path, evaluate: Evaluate
) -> None:
    record = evaluate("zero-shot", runs / "seed0")

    stored = json.loads((runs / "seed0" / "results.json").read_text())
    before, after = record["models"]
    assert {k: v["top1"] for k, v in after["sets"].items()} == {
        name: each["top1"] for name, each in stored["sets"].items()
    }
    assert {k: v["ci95"] for k, v in before["sets"].items()} == {
        name: each["ci95"] for name, each in stored["before"]["sets"].items()
    }
    assert (record["baseline"], before["kind"], after["kind"]) == ("zero-shot", "zero-shot", "run")


def test_images_are_those_of_the_first_run_wherever_it_stands(
    runs: Path, evaluate: Evaluate
) -> None:
    record = evaluate(runs / "seed0" / "checkpoints" / "last", runs / "seed1")

    assert list(by_label(record)) == ["seed0/checkpoints/last", "seed1"]


def test_models_in_memory_one_at_a_time_give_the_same_numbers(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    words = ("zero-shot", runs / "seed*", "--alphas", "0.5")

    together = evaluate(*words)
    apart = evaluate(*words, "--models-at-once", "1", out=tmp_path / "APART")

    assert apart == together


def test_a_copy_of_a_run_is_not_another_seed(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    copy = shutil.copytree(runs / "seed0", tmp_path / "copy")

    record = evaluate(runs / "seed0", copy)

    assert [group["group"] for group in record["groups"]] == [
        "object + single",
        f"object + single ({copy})",
    ]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_suite_with_fewer_classes_in_another_order_is_matched_by_name(
    runs: Path, world: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    for domain in ("sunny", "dark"):
        for number, colour in enumerate(("red", "blue")):
            shutil.copytree(world / domain / colour, tmp_path / "two" / domain / f"{number}")
    (tmp_path / "two" / "classes.txt").write_text("red\nblue\n")

    record = evaluate(runs / "seed0", "--data", tmp_path / "two")

    whole = logits(runs / "seed0" / "predictions", "dark")
    with np.load(tmp_path / "EVAL" / "predictions" / "seed0" / "dark.npz") as found:
        assert found["labels"].tolist() == [0] * 4 + [1] * 4
        # of the run the classes are blue, green, red
        np.testing.assert_allclose(found["logits"], whole[[8, 9, 10, 11, 0, 1, 2, 3]][:, [2, 0]],
                                   atol=1e-4)  # fmt: skip
    assert record["classes"] == ["red", "blue"]


def test_a_suite_for_another_label_space_is_refused_with_both(
    runs: Path, world: Path, cfft_command: Command, tmp_path: Path
) -> None:
    for domain in ("sunny", "dark"):
        shutil.copytree(world / domain, tmp_path / "other" / domain)
        (tmp_path / "other" / domain / "red").rename(tmp_path / "other" / domain / "purple")

    ended = cfft_command(
        "eval", str(runs / "seed0"), "--data", str(tmp_path / "other"), "--out", str(tmp_path / "E")
    )

    assert ended.code == 2
    assert "model 'seed0' knows 3 classes ('blue', 'green', 'red')" in ended.err
    assert "suite 'domains' has 3, 1 of them unknown to it: 'purple'" in ended.err
    assert files(tmp_path / "E") == set()


@pytest.fixture
def damaged(world: Path, tmp_path: Path) -> Path:
    """Copy the world and cut an image of the OOD set short."""
    shutil.copytree(world, tmp_path / "damaged")
    image = tmp_path / "damaged" / "dark" / "red" / "02.png"
    image.write_bytes(image.read_bytes()[:-40])
    return tmp_path / "damaged"


def test_a_truncated_image_is_named_and_nothing_is_left_half_written(
    runs: Path, damaged: Path, cfft_command: Command, tmp_path: Path
) -> None:
    words = ("--data", str(damaged), "--out", str(tmp_path / "E"), "--workers", "0")

    ended = cfft_command("eval", str(runs / "seed0"), *words)

    assert ended.code == 2
    assert f"set 'dark': {damaged}/dark/red/02.png: " in ended.err
    assert "--skip-unreadable" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"damaged"}


def test_faults_of_sets_are_named_together_and_nothing_is_measured_or_written(
    runs: Path, world: Path, cfft_command: Command, tmp_path: Path
) -> None:
    shutil.copytree(world, tmp_path / "faulty")
    shutil.rmtree(tmp_path / "faulty" / "dark" / "red")
    (tmp_path / "faulty" / "dark" / "red").mkdir()
    (tmp_path / "faulty" / "sunny" / "pink").mkdir()
    words = ("--data", str(tmp_path / "faulty"), "--out", str(tmp_path / "E"), "--workers", "0")

    ended = cfft_command("eval", str(runs / "seed0"), *words)

    assert (ended.code, ended.out) == (2, "")
    assert [line.partition(";")[0] for line in ended.err.splitlines()] == [
        f"error: set 'sunny': no images in class folder {tmp_path}/faulty/sunny/pink",
        f"error: set 'dark': no images in class folder {tmp_path}/faulty/dark/red",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"faulty"}


def test_unreadable_images_can_be_left_out_and_are_recorded(
    runs: Path, damaged: Path, evaluate: Evaluate
) -> None:
    record = evaluate(runs / "seed0", "--data", damaged, "--skip-unreadable")

    assert record["models"][0]["sets"]["dark"]["n"] == 11
    assert [each["path"] for each in record["skipped"]] == [f"{damaged}/dark/red/02.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{runs}/seed0", "--alphas", "0,2"], "--alphas: 2 is out of range"),
        (["{runs}/seed0", "--out", "{runs}"], "is not empty: give another directory"),
        (["{runs}/seed2"], "'{runs}/seed2' not found: give a run directory"),
        (["{runs}/se*2"], "'{runs}/se*2' not found"),
        (["{runs}"], "{runs}: no weights here"),
        (["zero-shot"], "no model is chosen: give --model NAME"),
        (["{runs}/seed0", "--baseline", "x"], "--baseline: unknown model 'x'"),
        (["{runs}/seed0", "--baseline-line", "seed0"], "a line needs 3 models or more"),
        (["{runs}/seed0", "--head", "none"], "--head"),
        (["--from-predictions", "{runs}"], "holds neither evaluation.json nor results.json"),
        ([], "no model is given: run directories"),
    ],
)
def test_what_cannot_be_measured_ends_with_a_line_that_says_why(
    runs: Path,
    cfft_command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = cfft_command("eval", *(word.format(runs=runs) for word in words))

    assert ended.code == 2
    assert message.format(runs=runs) in ended.err
    assert not list(tmp_path.iterdir())


def test_another_seed_than_a_runs_own_is_warned_of(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    words = ("--seed", "0", "--out", str(tmp_path / "E"), "--workers", "0", "--json")

    ended = cfft_command("eval", str(runs / "seed1"), *words)

    assert ended.code == 0
    assert "was trained with seed 1: a test set drawn with seed 0 may hold images" in ended.err


def test_effective_robustness_is_measured_against_published_accuracies(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    points = [{"Sunny": id_, "Dark": id_ - 0.2} for id_ in (0.6, 0.7, 0.9)]
    (tmp_path / "line.jsonl").write_text("\n".join(map(json.dumps, points)))

    record = evaluate(runs / "seed0", "--baseline-line", str(tmp_path / "line.jsonl"))

    assert record["models"][0]["effective_robustness"].keys() == {"dark", "ood_average"}
    assert record["baseline_line"] == str(tmp_path / "line.jsonl")
    assert record["lines"]["dark"]["models"] == 3


def test_published_accuracies_on_other_sets_are_refused_before_anything_is_measured(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "line.jsonl").write_text('{"ImageNet": 0.6, "ImageNetV2": 0.5}\n' * 3)

    ended = cfft_command(
        "eval", str(runs / "seed0"), "--baseline-line", str(tmp_path / "line.jsonl")
    )

    assert ended.code == 2
    assert "accuracies on sunny and on one of dark" in ended.err


def test_people_see_models_side_by_side(runs: Path, cfft_command: Command, tmp_path: Path) -> None:
    words = ("--out", str(tmp_path / "E"), "--workers", "0")

    ended = cfft_command("eval", "zero-shot", str(runs / "seed*"), *words)

    assert ended.code == 0
    assert "top-1 in percent" in ended.out
    assert "mean and standard deviation over seeds" in ended.out
    assert f"numbers  {tmp_path}/E/evaluation.json" in ended.out


def test_a_line_through_a_damaged_evaluation_is_refused(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "evaluation.json").write_text('{"schema": 1, "models": [{}]}')

    ended = cfft_command("eval", str(runs / "seed0"), "--baseline-line", str(tmp_path))

    assert ended.code == 2
    assert re.search(r"not as cfft writes it \(.*missing @ \$\.models\[0\]\.sets", ended.err)


def test_a_run_whose_configuration_is_broken_is_named(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    run = shutil.copytree(runs / "seed0", tmp_path / "run")
    (run / "config.toml").write_text("seed")

    ended = cfft_command("eval", str(runs / "seed0"), str(run), "--out", str(tmp_path / "E"))

    assert ended.code == 2
    assert f"config file {run}/config.toml is not valid TOML" in ended.err


def test_evaluations_get_a_new_directory_each(
    runs: Path, cfft_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evaluations" / "evaluation").mkdir(parents=True)

    ended = cfft_command("eval", str(runs / "seed0"), "--workers", "0")

    assert "numbers  evaluations/evaluation-2/evaluation.json" in ended.out
    assert (tmp_path / "evaluations" / "evaluation-2" / "evaluation.json").is_file()


def test_several_processes_need_one_directory(
    runs: Path, cfft_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    ended = cfft_command("eval", str(runs / "seed0"))

    assert ended.code == 2
    assert "several processes need one directory: give --out DIR" in ended.err
