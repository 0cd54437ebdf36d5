"""The options of `cfft run`: made from declarations, stored in one layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, Literal

import pytest
import typer

from cfft.cli.options.command import Command
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import facts, metavar, run_options
from cfft.config.keywords import Keywords
from cfft.config.layers import Choice, Layer
from cfft.errors import ConfigError
from cfft.plugin.params import Param
from cfft.plugin.registry import Registry

CHECKER = """
    import cfft

    @cfft.mask("checker")
    class CheckerMask:
        '''Hide every n-th patch, as on a chessboard.'''
        period: int = cfft.param(
            2, help="distance [in patches]", ge=2, given={"fill": {"multi": 3}}
        )
        seed: int = cfft.param(1, help="where to begin")
        def select(self, batch, view): ...

    @cfft.hookimpl
    def cfft_masks():
        return [CheckerMask]
"""


def given(*words: str) -> dict[str, Any]:
    """Parse words as `cfft run` does and return the keywords that they give."""
    heard: list[dict[str, Any]] = []
    app, registry = typer.Typer(add_completion=False), Registry.installed()
    options = run_options(registry)
    add_command(app, "run", options, lambda **found: heard.append(found), registry, help="")
    app(words, standalone_mode=False)
    return heard[0]


def layer_of(*words: str) -> Layer:
    """Return the layer that words of `cfft run` stand for."""
    return Keywords(Registry.installed()).layer(given(*words))


def test_no_option_says_nothing() -> None:
    assert given() == {}


def test_strategies_are_chosen_by_kind() -> None:
    layer = layer_of("--mask", "random", "--loss", "a", "--loss", "b")

    assert layer.chosen == {
        "mask": (Choice("random", "random"),),
        "loss": (Choice("a", "a"), Choice("b", "b")),
    }


def test_no_auxiliary_loss_is_spelled_none() -> None:
    assert layer_of("--loss", "none").chosen == {"loss": ()}


def test_full_and_short_spellings_are_kept_apart() -> None:
    layer = layer_of("--mask.object.threshold", "0.4", "--rate", "0.5")

    assert layer.values == {("mask", "object"): {"threshold": "0.4"}}
    assert layer.short == {"rate": "0.5"}


@pytest.mark.parametrize("option", ["--cam.relevance.start-layer", "--cam.relevance.start_layer"])
def test_dashes_and_underscores_are_the_same(option: str) -> None:
    layer = layer_of(option, "2", "--batch_size", "8")

    assert layer.values == {("cam", "relevance"): {"start_layer": "2"}}
    assert layer.settings == {"training": {"batch_size": "8"}}


def test_names_with_underscores_keep_them() -> None:
    layer = layer_of("--backbone.open_clip.quick-gelu", "true")

    assert layer.values == {("backbone", "open_clip"): {"quick_gelu": "true"}}


def test_settings_go_to_their_tables() -> None:
    layer = layer_of("--model", "timm:x", "--epochs", "2", "--skip-unreadable")

    assert layer.settings == {
        "model": {"name": "timm:x"},
        "training": {"epochs": "2", "skip_unreadable": True},
    }


def test_negative_numbers_are_values() -> None:
    assert layer_of("--lr", "-1").settings == {"training": {"lr": "-1"}}


def test_every_option_gives_one_keyword() -> None:
    found = given("--recipe", "paper", "--config", "a.toml", "--out", "b", "--dry-run", "--json")

    assert found == {
        "recipe": "paper", "config": "a.toml", "out": "b", "dry_run": True, "as_json": True
    }  # fmt: skip


def test_set_may_be_repeated_and_seed_is_a_number() -> None:
    layer = layer_of("--set", "training.lr=1", "--set", "model.head=own", "--seed", "4")

    assert layer.settings == {"training": {"lr": "1"}, "model": {"head": "own"}}
    assert layer.seed == 4


def test_options_of_a_third_party_plugin_are_there_at_once(
    install: Callable[..., Distribution],
) -> None:
    install("checker-on-disk", CHECKER)

    assert layer_of("--mask.checker.period", "3", "--period", "4") == (
        layer_of("--set", "mask.checker.period=3", "--period", "4")
    )


def test_an_option_of_cfft_wins_over_the_short_one_of_a_strategy(
    install: Callable[..., Distribution],
) -> None:
    install("checker-on-disk", CHECKER)

    assert layer_of("--seed", "4").seed == 4
    assert layer_of("--seed", "4").short == {}


def test_help_shows_third_party_parameters_with_brackets_as_they_are(
    install: Callable[..., Distribution], cfft_command: Callable[..., Any]
) -> None:
    install("checker-on-disk", CHECKER)

    ended = cfft_command("run", "--mask", "checker", "--help")
    shown = " ".join(ended.out.replace("│", " ").split())

    assert "--mask.checker.period N distance [in patches] [>= 2; default 2; 3 with fill" in shown
    assert "which patches to hide: all, checker, context" in shown


def test_help_groups_options_and_lists_recipes(cfft_command: Callable[..., Any]) -> None:
    shown = cfft_command("run", "--help-all").out

    panels = ["Images and model", "Method", "Training", "Configuration", "Output"]
    panels.append("Parameters of every strategy")
    places = [shown.index(f"─ {panel} ") for panel in panels]
    assert places == sorted(places)
    assert "--recipe vanilla: Fine-tuning with cross-entropy alone" in shown


def test_help_shows_the_parameters_of_what_is_chosen_or_default(
    cfft_command: Callable[..., Any],
) -> None:
    shown = cfft_command("run", "--suite", "folder", "--mask=random", "--help").out

    parameters = ("--suite.folder.data", "--mask.random.rate", "--fill.single.strength")
    others = (
        "--suite.hf.data",
        "--suite.shapes.train-pictures",
        "--mask.object.threshold",
        "--beta1",
    )
    assert [name for name in (*parameters, *others) if name in shown] == list(parameters)


def test_help_follows_a_recipe(cfft_command: Callable[..., Any]) -> None:
    shown = cfft_command("run", "--recipe", "vanilla", "--help").out

    assert "--loss.feature-mse.weight" not in shown
    assert "--mask.object.threshold" not in shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("run", ["--suite.shapes.train-pictures"]),
        ("eval", []),
        ("eval --model ViT-B-32", ["--backbone.open_clip.mean"]),
        (
            "preview --mask object --mask random",
            ["--suite.shapes.train-pictures", "--mask.random.rate"],
        ),
    ],
)
def test_help_of_each_command_knows_its_own_defaults(
    words: str, shown: list[str], cfft_command: Callable[..., Any]
) -> None:
    text = cfft_command(*words.split(), "--help").out

    options = ["--suite.shapes.train-pictures", "--backbone.open_clip.mean", "--mask.random.rate"]
    assert [option for option in options if option in text] == shown


def test_all_help_shows_what_nobody_chose_and_what_few_set(
    cfft_command: Callable[..., Any],
) -> None:
    shown = cfft_command("run", "--help-all").out

    assert "--suite.hf.data" in shown
    assert "--beta1" in shown


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "eval",
        "eval masks",
        "preview",
        "data verify",
        "predict",
        "report",
        "sweep",
        "merge wise",
    ],
)
def test_help_of_a_command_fits_two_screens(command: str, cfft_command: Callable[..., Any]) -> None:
    short, whole = (cfft_command(*command.split(), word) for word in ("--help", "--help-all"))

    assert (short.code, whole.code) == (0, 0)
    assert short.out.count("\n") <= 90
    assert short.out.count("\n") <= whole.out.count("\n")


def test_a_misspelt_option_is_answered_with_the_nearest(cfft_command: Callable[..., Any]) -> None:
    ended = cfft_command("run", "--thresold", "0.5")

    assert ended.code == 2
    assert ended.err == (
        "error: unknown option --thresold; did you mean --threshold? "
        "all options: cfft run --help-all\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("predict RUN DIR --format xml", "'--format': .*'xml' is not one of 'csv', 'jsonl'"),
        ("predict RUN", "missing argument 'IMAGES'"),
        ("sweep study --jobs 0", "'--jobs': .* greater than or equal to 1"),
        ("report --fromat x", "unknown option --fromat; .*"),
    ],
)
def test_words_that_do_not_fit_are_answered_in_one_line(
    words: str, message: str, cfft_command: Callable[..., Any]
) -> None:
    ended = cfft_command(*words.split())

    assert ended.code == 2
    assert re.fullmatch(f"error: .*{message}.* cfft .* --help(-all)?\n", ended.err)


def test_an_argument_is_no_option_to_mean(cfft_command: Callable[..., Any]) -> None:
    assert "did you mean suite" not in cfft_command("data", "verify", "--suite", "x").err


def test_the_word_that_takes_a_flag_back_is_an_option_too() -> None:
    app = typer.Typer(add_completion=False)
    heard: list[bool] = []

    @app.command(cls=Command)
    def command(quick: bool = True) -> None:
        heard.append(quick)

    app(["--no-quick"], standalone_mode=False)

    assert heard == [False]


def test_no_flag_of_a_sweep_has_a_word_that_takes_it_back(
    cfft_command: Callable[..., Any],
) -> None:
    assert "--no-" not in cfft_command("sweep", "--help").out


@pytest.mark.parametrize(
    ("words", "spelt"),
    [
        (["--lr", "1", "--treshold=0.5"], "--treshold"),
        (["--dry-run", "-lr", "1"], "-lr"),
        (["--resume", "-5"], "-5"),
        (["--set", "training.lr=1", "--mask.objct.threshold", "1"], "--mask.objct.threshold"),
    ],
)
def test_an_unknown_option_is_found_among_others(words: list[str], spelt: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown option {spelt};"):
        given(*words)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--lr", "-1"], {"lr": "-1"}),
        (["--lr=-1"], {"lr": "-1"}),
        (["--set", "--odd"], {"set": ["--odd"]}),
        (["--mask.object.threshold", "--odd"], {"mask.object.threshold": "--odd"}),
    ],
)
def test_what_is_a_value_is_taken_for_no_option(words: list[str], found: dict[str, Any]) -> None:
    assert given(*words) == found


def test_an_option_without_its_value_is_told_of_in_one_line() -> None:
    with pytest.raises(ConfigError, match="option '--lr' requires an argument; see"):
        given("--lr")


@pytest.mark.parametrize(
    ("param", "words"),
    [
        (Param("a", int, 2, "", ge=1), "N [>= 1; default 2]"),
        (Param("a", float, 0.5, "", ge=0, le=1), "X [from 0 to 1; default 0.5]"),
        (Param("a", Path | None, None, ""), "PATH [default none]"),
        (Param("a", bool, True, ""), "BOOL [default true]"),
        (Param("a", tuple[float, float], (0.5, 0.5), ""), "X/X [default 0.5/0.5]"),
        (Param("a", tuple[int, ...], (1, 2), ""), "N,... [default 1,2]"),
        (Param("a", Literal["b", "c"] | None, None, ""), "NAME [b | c; default none]"),
    ],
)
def test_a_parameter_is_described_in_a_few_words(param: Param, words: str) -> None:
    assert f"{metavar(param)} {facts(param)}" == words


def test_defaults_that_depend_are_described_with_what_they_depend_on() -> None:
    param = Param("t", float, 0.3, "", given={"fill": {"none": 0.3, "multi": 0.6}})

    assert facts(param) == "[default 0.3; 0.6 with fill multi]"
