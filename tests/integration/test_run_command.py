"""`cfft run` from its command line to its last word, on a tiny CLIP and a tiny world."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from cfft_suites.cifar10.images import CLASSES

Command = Callable[..., Any]


@pytest.fixture
def words(world: Path, clip: tuple[Path, Path]) -> list[str]:
    """Say what every run here has in common."""
    config, weights = map(str, clip)
    return [
        *("--suite", "domains", "--data", str(world), "--id", "sunny"),
        *("--model", config, "--pretrained", weights, "--prompts", "class-name"),
        *("--epochs", "1", "--batch-size", "8", "--workers", "0", "--threshold", "0.5"),
    ]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_run_shows_its_plan_its_results_and_where_they_are(
    cfft_command: Command, words: list[str]
) -> None:
    ended = cfft_command("run", *words)

    assert ended.code == 0
    assert "object (threshold 0.5)" in ended.out
    assert "sunny (ID)" in ended.out
    assert "OOD average" in ended.out
    assert "repeat    cfft run --config runs/domains-object-single-seed0/config.toml" in ended.out
    assert "epoch 1/1: validation" in ended.err
    assert Path("runs/domains-object-single-seed0/results.json").is_file()


def test_a_second_run_gets_a_directory_of_its_own(cfft_command: Command, words: list[str]) -> None:
    Path("runs/domains-object-single-seed0").mkdir(parents=True)
    Path("runs/domains-object-single-seed0-2").mkdir()

    plan = json.loads(cfft_command("run", *words, "--dry-run", "--json").out)

    assert plan["run"] == "runs/domains-object-single-seed0-3"


def test_json_is_all_that_stdout_holds(cfft_command: Command, words: list[str]) -> None:
    ended = cfft_command("run", *words, "--out", "RUN", "--json")

    assert json.loads(ended.out) == json.loads(Path("RUN/results.json").read_text())


def test_a_dry_run_writes_nothing(cfft_command: Command, words: list[str], tmp_path: Path) -> None:
    ended = cfft_command("run", *words, "--dry-run")

    assert ended.code == 0
    assert ended.out.endswith("Nothing was trained. Run again without --dry-run to start.\n")
    assert list(tmp_path.iterdir()) == []


def test_the_plan_says_which_recipe_a_run_comes_from(
    cfft_command: Command, words: list[str]
) -> None:
    shown = cfft_command("run", *words[:-2], "--recipe", "vanilla", "--dry-run").out
    plan = json.loads(
        cfft_command("run", *words[:-2], "--recipe", "vanilla", "--dry-run", "--json").out
    )

    assert re.search(r"recipe +vanilla\s", shown)
    assert (plan["recipe"]["name"], plan["recipe"]["reason"]) == ("vanilla", "")


def test_the_configuration_of_a_run_repeats_it(cfft_command: Command, words: list[str]) -> None:
    first = json.loads(cfft_command("run", *words, "--out", "RUN", "--json").out)

    again = cfft_command("run", "--config", "RUN/config.toml", "--out", "AGAIN", "--json")

    repeated = json.loads(again.out)
    assert repeated["config"] == first["config"]
    assert repeated["sets"] == first["sets"]


def test_a_run_cannot_be_resumed_with_another_configuration(
    cfft_command: Command, words: list[str]
) -> None:
    cfft_command("run", *words, "--out", "RUN")

    ended = cfft_command("run", "--resume", "--out", "RUN", "--lr", "0.5")

    assert ended.code == 2
    assert "training.lr: " in ended.err
    assert "-> 0.5" in ended.err


def test_resuming_a_finished_run_shows_its_results(cfft_command: Command, words: list[str]) -> None:
    first = cfft_command("run", *words, "--out", "RUN", "--json")

    again = cfft_command("run", "--resume", "--out", "RUN", "--json")

    assert again.out == first.out
    assert again.err.startswith("the run in RUN is already finished")


@pytest.fixture
def ten_classes(clip: tuple[Path, Path]) -> list[str]:
    """Say what it takes to train on CIFAR-10's classes where its reproductions are missing."""
    config, weights = map(str, clip)
    for part, count in (("train", 3), ("test", 1)):
        for number, name in enumerate(CLASSES):
            Path("ten", part, name).mkdir(parents=True)
            for place in range(count):
                image = Image.new("RGB", (32, 32), (25 * number, 80 * place, 99))
                image.save(Path("ten", part, name, f"{place}.png"))
    return [
        *("--suite", "cifar10", "--data", "ten", "--val", "10", "--epochs", "0", "--workers", "0"),
        *("--model", config, "--pretrained", weights, "--prompts", "class-name"),
    ]


def test_the_plan_names_folders_that_belong_to_no_set(
    cfft_command: Command, words: list[str], world: Path
) -> None:
    Path("mine").mkdir()
    Path("mine", "train").symlink_to(world / "sunny")
    Path("mine", "sketch").symlink_to(world / "dark")

    shown = cfft_command("run", *words[6:], "--suite", "folder", "--data", "mine", "--dry-run").out

    assert re.search(r"ignored +sketch \(not train, val, test or ood\)", shown)


def test_the_plan_names_the_sets_that_are_absent(
    cfft_command: Command, ten_classes: list[str]
) -> None:
    shown = cfft_command("run", *ten_classes, "--dry-run").out
    plan = json.loads(cfft_command("run", *ten_classes, "--dry-run", "--json").out)

    assert re.search(r"absent +cifar10.1, cifar10.2 \(not measured\)", shown)
    assert list(plan["absent"]) == ["cifar10.1", "cifar10.2"]
    assert plan["absent"]["cifar10.1"].startswith("looked for CIFAR-10.1/datasets/cifar10.1_v6")


def test_the_plan_tells_the_sizes_of_classes_and_what_is_passed_over(
    cfft_command: Command, ten_classes: list[str]
) -> None:
    Path("ten", "train", CLASSES[0], "more.heic").touch()

    shown = cfft_command("run", *ten_classes, "--dry-run")
    plan = json.loads(cfft_command("run", *ten_classes, "--dry-run", "--json").out)

    assert re.search(rf"classes +{CLASSES[0]} 2, {CLASSES[1]} 2, ", shown.out)
    assert re.search(r"passed over +\S+: 1 \.heic", shown.out)
    assert "warning: set 'cifar10-train': 1 file with suffix .heic is passed" in shown.err
    assert plan["classes"][0] == {"name": CLASSES[0], "n": 2}
    assert list(plan["passed_over"].values()) == [{".heic": 1}]


def test_of_many_classes_the_plan_tells_the_extremes(
    cfft_command: Command, clip: tuple[Path, Path]
) -> None:
    for name, images in zip("abcdefghijklm", [10] * 11 + [20, 30], strict=True):
        Path("many", "train", name).mkdir(parents=True)
        for number in range(images):
            Image.new("RGB", (4, 4), (ord(name), number, 0)).save(f"many/train/{name}/{number}.png")
    config, weights = map(str, clip)
    words = ("--suite", "folder", "--data", "many", "--model", config, "--pretrained", weights)

    shown = " ".join(cfft_command("run", *words, "--dry-run").out.split())

    assert "classes fewest a 7, b 7, c 7; most m 21, l 14, k 7" in shown


def test_results_record_the_sets_that_are_absent(
    cfft_command: Command, ten_classes: list[str]
) -> None:
    cfft_command("run", *ten_classes, "--out", "RUN")

    results = json.loads(Path("RUN/results.json").read_text())

    assert list(results["absent"]) == ["cifar10.1", "cifar10.2"]
    assert results["ood_average"] is None


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (["--batch-size", "1"], "fill 'single' needs 2 images in every micro-batch"),
        (["--id", "snowy"], "unknown domain 'snowy'; did you mean 'sunny'?"),
        (["--data", "nowhere"], "nowhere"),
        (["--pretrained", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--model", "RN50"], "RN50"),
        (["--prompts", "nowhere.txt"], "nowhere.txt"),
        (["--checkpoint-every", "soon"], "training.checkpoint_every: got 'soon'"),
    ],
)
def test_what_cannot_work_ends_before_training_with_one_line(
    cfft_command: Command, words: list[str], change: list[str], line: str
) -> None:
    ended = cfft_command("run", *words, *change, "--out", "RUN")

    assert ended.code == 2
    assert line in ended.err
    assert "Traceback" not in ended.err
    assert not Path("RUN").exists()


def test_accuracies_before_fine_tuning_are_taken_from_a_run_that_began_alike(
    cfft_command: Command, words: list[str]
) -> None:
    first = json.loads(cfft_command("run", *words, "--out", "FIRST", "--json").out)
    marked = Path("FIRST/results.json")  # only what is copied has the mark
    marked.write_text(marked.read_text().replace('"n": 12', '"n": 13'))
    changed = json.loads(marked.read_text())["before"]

    ended = cfft_command(
        *("run", *words, "--loss.feature-mse.weight", "3"),
        *("--before", "FIRST", "--out", "SECOND", "--json"),
    )

    second = json.loads(ended.out)
    assert changed != first["before"]
    assert second["before"] == changed
    assert second["start"] == first["start"]
    assert "the accuracies before fine-tuning are those of FIRST" in ended.err
    for path in Path("FIRST/predictions/before").iterdir():
        assert (Path("SECOND/predictions/before") / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("other", [("--id", "dark"), ("--head", "linear-probe")])
def test_those_of_a_run_that_began_otherwise_are_not_taken(
    cfft_command: Command, words: list[str], other: tuple[str, str]
) -> None:
    cfft_command("run", *words, "--epochs", "0", "--out", "FIRST")
    alone = json.loads(cfft_command("run", *words, *other, "--out", "ALONE", "--json").out)

    ended = cfft_command("run", *words, *other, "--before", "FIRST", "--out", "SECOND", "--json")

    second = json.loads(ended.out)
    assert second["before"] == alone["before"]
    assert second["start"] == alone["start"]
    assert (
        "FIRST began with another model or other images, or lost predictions: measured anew"
        in ended.err
    )


def test_accuracies_before_are_not_taken_from_what_is_no_finished_run(
    cfft_command: Command, words: list[str]
) -> None:
    ended = cfft_command("run", *words, "--before", "NOWHERE", "--out", "RUN")

    assert ended.code == 2
    assert "--before: NOWHERE is not the directory of a finished run" in ended.err
    assert not Path("RUN").exists()


def test_the_plan_says_which_weights_of_a_checkpoint_were_taken(
    cfft_command: Command, world: Path, clip: tuple[Path, Path]
) -> None:
    tensors = load_file(clip[1])
    torch.save({"state_dict": tensors, "state_dict_ema": tensors}, "two.pt")
    words = ("--suite", "domains", "--data", str(world), "--id", "sunny", "--model", str(clip[0]))
    rest = ("--prompts", "class-name", "--dry-run")

    usual = cfft_command("run", *words, "--pretrained", "two.pt", *rest)
    chosen = cfft_command("run", *words, "--pretrained", "two.pt:state_dict_ema", *rest, "--json")

    plan = json.loads(chosen.out)
    assert re.search(r"taken from +state_dict\s", usual.out)
    assert "others lie beside them: state_dict_ema" in " ".join(usual.err.split())
    assert plan["config"]["model"]["pretrained"] == f"{Path('two.pt').resolve()}:state_dict_ema"
    assert not any("beside" in warning for warning in plan["warnings"])


@pytest.fixture
def teachers(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a run's weights beside others into a checkpoint of training, at home."""
    monkeypatch.setenv("HOME", str(Path.cwd()))
    trained = load_file(runs / "seed0" / "checkpoints" / "best" / "weights.safetensors")
    zeros = {key: torch.zeros_like(tensor) for key, tensor in trained.items()}
    torch.save({"state_dict": zeros, "ema": trained}, "last.pt")


@pytest.mark.parametrize(
    ("teacher", "told"),
    [("last.pt", True), ("last.pt:ema", False), ("~/last.pt:ema", False), ("./last.pt:ema", False)],
)
def test_a_teacher_may_be_one_of_several_sets_of_weights_in_a_checkpoint(
    teachers: None, cfft_command: Command, words: list[str], teacher: str, told: bool
) -> None:
    own = ("--loss", "feature-mse", "--teacher", "checkpoint", "--teacher.checkpoint.path", teacher)
    follows = ("--loss.feature-mse.teacher", "checkpoint")

    ended = cfft_command("run", *words, *own, *follows, "--dry-run", "--json")

    plan = json.loads(ended.out)
    nest = teacher.rpartition("/")[2].removeprefix("last.pt")
    assert plan["config"]["teacher"][0]["path"] == f"{Path.cwd() / 'last.pt'}{nest}"
    assert any("takes the weights 'state_dict'" in line for line in plan["warnings"]) is told


def test_a_teacher_that_its_checkpoint_does_not_hold_is_named_in_one_line(
    teachers: None, cfft_command: Command, words: list[str]
) -> None:
    own = ("--loss", "feature-mse", "--teacher", "wise", "--loss.feature-mse.teacher", "wise")

    ended = cfft_command("run", *words, *own, "--teacher.wise.fine-tuned", "last.pt:average")

    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "last.pt: unknown nest 'average'" in ended.err


def test_a_zero_shot_model_that_only_guesses_is_told_with_its_names_and_prompts(
    cfft_command: Command, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    for number, place in enumerate(["train/owl", "train/cat", "test/owl", "test/cat"]):
        folder = tmp_path / "world" / place
        folder.mkdir(parents=True)
        for each in range(24):  # the same images in both classes but for their last pixel
            image = Image.new("RGB", (8, 8), (9 * each, 120, 200 - 8 * each))
            image.putpixel((7, 7), (10 * number, 0, 0))
            image.save(folder / f"{each}.png")
    given = ["--suite", "folder", "--data", "world", "--model", str(clip[0]), "--epochs", "0"]
    settings = ["--batch-size", "8", "--workers", "0", "--mask", "none", "--prompts", "class-name"]

    trained = cfft_command("run", *given, *settings, "--pretrained", str(clip[1]))
    random = cfft_command("run", *given, *settings, "--pretrained", "random")

    assert trained.code == 0
    said = " ".join(trained.err.split())
    assert "warning: before fine-tuning the model only guesses on test: " in said
    assert "of 48 images (95 % interval " in said
    assert "chance 50 %): look at the class names ('cat', 'owl'), at --prompts ('{}')" in said
    assert "only guesses" not in random.err
