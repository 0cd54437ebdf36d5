"""Bad input to `cfft run`: one clear line each, exit code 2, no traceback, nothing written."""

from __future__ import annotations

import errno
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from cfft.config.keywords import Keywords
from cfft.config.origin import RecipeOrigin
from cfft.config.resolve import resolve
from cfft.plugin.registry import Registry
from cfft.training.entry import PlannedRun

REGISTRY = Registry.installed()
ENOUGH = ("--suite", "domains", "--data", "images", "--id", "photo", "--model", "ViT-B-32")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work where nothing is, so that anything written shows."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--mask", "objct"],
            "unknown mask 'objct'; did you mean 'object'? installed: all, context,",
        ),
        (["--fill", "doubl"], "unknown fill 'doubl'"),
        (["--suite", "domain"], "unknown suite 'domain'; did you mean 'domains'?"),
        (["--loss", "feature_mse"], "unknown loss 'feature_mse'; did you mean 'feature-mse'?"),
        (["--loss", "a", "--loss", "a"], "--loss a is given twice"),
        (["--threshold", "1.5"], "mask.object.threshold: got '1.5', allowed: a number from 0 to 1"),
        (["--threshold", "high"], "mask.object.threshold: got 'high'"),
        (["--rate", "0.5"], "no chosen strategy has --rate"),
        (
            ["--epochs", "1.5"],
            "--epochs (training.epochs): got '1.5', allowed: a whole number",
        ),
        (["--lr", "-1"], "--lr (training.lr): got '-1', allowed: a number > 0"),
        (["--lr", "nan"], "--lr (training.lr): got 'nan'"),
        (
            ["--precision", "fp8"],
            "--precision (training.precision): got 'fp8', allowed: one of",
        ),
        (["--seed", "x"], "--seed: got 'x', allowed: a whole number from 0 to 4294967295"),
        (["--seed", "4294967296"], "--seed: got '4294967296', allowed: a whole number from 0 to"),
        (
            ["--epochs", "100001"],
            "--epochs (training.epochs): got '100001', allowed: a whole number",
        ),
        (
            ["--epochs", "9" * 5000],
            f"--epochs (training.epochs): got '{'9' * 79}..., allowed: a",
        ),
        (["--set", "mask.object"], "--set mask.object: write KIND.NAME.PARAM=VALUE"),
        (["--set", "training.epoch=1"], "training: unknown parameter 'epoch'; did you mean"),
        (["--recipe", "papr"], "unknown recipe 'papr'; did you mean 'paper'?"),
        (["--config", "no.toml"], "no such config file: no.toml"),
        (["--resume"], "--resume needs the directory of the interrupted run: give --out DIR"),
        (["--resume", "--out", "RUN"], "--resume: RUN holds no run to resume"),
        (["--loss", "none", "--mask", "object"], "--mask was given, but no loss looks at"),
        (["--teacher", "checkpoint"], "teacher.checkpoint.path is missing: give --teacher.check"),
    ],
)
def test_bad_options_end_with_one_line_that_says_what_to_do(
    cfft_command: Callable[..., Any], empty_folder: Path, words: list[str], line: str
) -> None:
    ended = cfft_command("run", *ENOUGH, *words)

    assert ended.code == 2
    assert ended.out == ""
    assert f"error: {line}" in ended.err
    assert "Traceback" not in ended.err
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--model ViT-B-32", "no suite is chosen: give --suite NAME; installed: cifar10, domains"),
        ("--pretrained a.pt", "no model is chosen: give --model NAME, as in --model ViT-B-32"),
        ("--suite shapes", "no model is chosen: give --model NAME, as in --model ViT-B-32"),
    ],
)
def test_half_of_images_and_model_asks_for_the_other_half(
    cfft_command: Callable[..., Any], words: str, says: str
) -> None:
    ended = cfft_command("run", *words.split())

    assert ended.code == 2
    assert f"error: {says}" in ended.err


def test_nothing_given_means_the_embedded_world_and_model() -> None:
    config = resolve(REGISTRY, Keywords(REGISTRY).layers({}))

    assert (config.suite.name, config.model.name) == ("shapes", "cfft-mini")
    best = resolve(REGISTRY, Keywords(REGISTRY).layers({"recipe": "best"}))
    assert config == best


@pytest.mark.parametrize(
    "said",
    [
        {"mask": "object", "fill": "single"},
        {"threshold": 0.3},
        {"mask.object.threshold": 0.3},
        {"teacher": "clip"},
        {"recipe": "quick"},
    ],
)
def test_where_a_part_of_the_objective_is_said_the_rest_is_the_papers(said: dict[str, Any]) -> None:
    config = resolve(REGISTRY, Keywords(REGISTRY).layers(said))

    assert (config.mask.name, config.fill.name) == ("object", "single")
    assert [(loss.label, loss.strategy.weight) for loss in config.losses] == [("feature-mse", 2)]


@pytest.mark.parametrize(
    "said",
    [
        {"seed": 3},
        {"epochs": 1},
        {"average": "ema", "decay": 0.9},
        {"lr": 1e-4},
        {"label_smoothing": 0.1},
    ],
)
def test_other_settings_leave_the_objective_of_the_default(said: dict[str, Any]) -> None:
    config = resolve(REGISTRY, Keywords(REGISTRY).layers(said))

    best = resolve(REGISTRY, Keywords(REGISTRY).layers({"recipe": "best"}))
    assert (config.views, config.mask, config.fill) == (best.views, best.mask, best.fill)
    assert config.losses == best.losses


def test_parameters_of_what_the_default_uses_change_it_and_nothing_else() -> None:
    said = {"fill.restyle.styles": "blur,pose", "loss.feature-mse.weight": 3}
    config = resolve(REGISTRY, Keywords(REGISTRY).layers(said))

    weights = [(loss.label, loss.strategy.weight) for loss in config.losses]
    assert config.fill.strategy.styles == ("blur", "pose")
    assert weights == [("feature-mse", 3), ("again", 1), ("clean", 0.75)]
    assert config.origin == RecipeOrigin("best", "", whole=False)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"cam": "gradcam"}, "--cam is named"),
        ({"threshold": 0.3}, "--threshold is named"),
        ({"mask.object.threshold": 0.3}, "--mask.object is named"),
    ],
)
def test_the_plan_can_say_why_the_default_was_left(said: dict[str, Any], reason: str) -> None:
    config = resolve(REGISTRY, Keywords(REGISTRY).layers(said))

    assert config.origin == RecipeOrigin("embedded", reason, whole=False)


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ({}, True),
        ({"epochs": 1, "ood_pictures": 100}, True),
        ({"label_smoothing": 0.1}, False),
        ({"average": "ema"}, False),
        ({"set": "view.again.fill.strength=0.5"}, False),
    ],
)
def test_a_recipe_is_whole_until_something_of_the_method_is_said(
    said: dict[str, Any], whole: bool
) -> None:
    config = resolve(REGISTRY, Keywords(REGISTRY).layers(said))

    assert config.origin == RecipeOrigin("best", "", whole=whole)


def test_the_recipe_of_the_paper_at_this_size_is_what_a_named_mask_and_fill_give() -> None:
    named = {"mask": "object", "fill": "single"}

    pair = [Keywords(REGISTRY).layers(each) for each in (named, {"recipe": "paper-mini"})]

    assert len({resolve(REGISTRY, layers).to_toml() for layers in pair}) == 1


def test_a_recipe_holds_above_the_embedded_world() -> None:
    config = resolve(REGISTRY, Keywords(REGISTRY).layers({"recipe": "vanilla"}))

    assert (config.suite.name, config.losses) == ("shapes", ())


def test_a_suite_without_its_folder_says_which_option_is_missing(
    cfft_command: Callable[..., Any],
) -> None:
    ended = cfft_command("run", "--suite", "folder", "--model", "ViT-B-32")

    assert "give --suite.folder.data PATH, in short --data (folder" in ended.err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[mask", "config file bad.toml is not valid TOML"),
        ("[maks]\nuse = 'x'", "config file bad.toml: unknown key 'maks'; did you mean 'mask'?"),
        ("[mask.objct]\na = 1", "config file bad.toml: unknown mask 'objct'"),
        (
            "[mask]\nuse = 'object'\nthreshold = '2'",
            "config file bad.toml: mask.object.threshold: got '2'",
        ),
        ("[training]\nepochs = -1", "config file bad.toml: training.epochs: got -1"),
        ("[training]\nepoch = 1", "config file bad.toml: training: unknown parameter 'epoch'"),
    ],
)
def test_a_bad_file_is_named(
    cfft_command: Callable[..., Any], tmp_path: Path, text: str, line: str
) -> None:
    Path("bad.toml").write_text(text)

    ended = cfft_command("run", *ENOUGH, "--config", "bad.toml")

    assert ended.code == 2
    assert f"error: {line}" in ended.err


def test_paths_with_brackets_are_printed_as_they_are(cfft_command: Callable[..., Any]) -> None:
    ended = cfft_command("run", *ENOUGH, "--config", "[red]a[/red].toml")

    assert "no such config file: [red]a[/red].toml" in ended.err


def test_a_broken_plugin_that_is_not_used_stops_nothing(
    cfft_command: Callable[..., Any], install: Callable[..., Distribution]
) -> None:
    install("broken-on-disk", "import no_such_module")

    assert "broken" not in cfft_command("run", *ENOUGH, "--lr", "-1").err


def test_a_broken_plugin_is_named_where_its_strategy_is_asked_for(
    cfft_command: Callable[..., Any], install: Callable[..., Distribution]
) -> None:
    install("broken-on-disk", "import no_such_module", "3.1")

    ended = cfft_command("run", *ENOUGH, "--mask", "checker")

    assert "error: unknown mask 'checker'" in ended.err
    assert "(broken-on-disk 3.1) cannot be used: ModuleNotFoundError" in ended.err


def test_a_full_disk_of_a_begun_run_says_how_to_go_on(
    cfft_command: Callable[..., Any], empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(planned: PlannedRun, **_: Any) -> None:
        planned.out.mkdir()
        (planned.out / "config.toml").touch()
        raise OSError(errno.ENOSPC, "No space left on device", str(planned.out / "metrics.jsonl"))

    monkeypatch.setattr(PlannedRun, "start", full)

    ended = cfft_command("run", "--out", "run")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        "error: run/metrics.jsonl: No space left on device",
        "error: once that is fixed, continue with: cfft run --resume --out run",
    ]
