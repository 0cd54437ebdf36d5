"""The options of `cfft run`: made from declarations, stored in one layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, Literal

import pytest
import typer

from cfft.cli.options.describe import default_words, facts, metavar
from cfft.cli.options.options import Request, run_options
from cfft.cli.options.signature import as_command
from cfft.cli.options.spelling import SpeltCommand, check_spelling
from cfft.config.layers import Choice
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

FLAGS = {"--lr": False, "--set": False, "--mask.a_b.x": False, "--dry-run": True, "--resume": True}


def request_of(*words: str) -> Request:
    """Parse words as `cfft run` does and return what they ask for."""
    heard: list[Request] = []
    app = typer.Typer(add_completion=False)
    settings = {"token_normalize_func": lambda option: option.replace("_", "-")}
    command = as_command(run_options(Registry.installed()), heard.append)
    app.command(context_settings=settings)(command)
    app(words, standalone_mode=False)
    return heard[0]


def test_no_option_says_nothing() -> None:
    assert request_of() == Request()


def test_strategies_are_chosen_by_kind() -> None:
    layer = request_of("--mask", "random", "--loss", "a", "--loss", "b").layer

    assert layer.chosen == {
        "mask": (Choice("random", "random"),),
        "loss": (Choice("a", "a"), Choice("b", "b")),
    }


def test_no_auxiliary_loss_is_spelled_none() -> None:
    assert request_of("--loss", "none").layer.chosen == {"loss": ()}


def test_full_and_short_spellings_are_kept_apart() -> None:
    layer = request_of("--mask.object.threshold", "0.4", "--rate", "0.5").layer

    assert layer.values == {("mask", "object"): {"threshold": "0.4"}}
    assert layer.short == {"rate": "0.5"}


@pytest.mark.parametrize("option", ["--cam.relevance.start-layer", "--cam.relevance.start_layer"])
def test_dashes_and_underscores_are_the_same(option: str) -> None:
    layer = request_of(option, "2", "--batch_size", "8").layer

    assert layer.values == {("cam", "relevance"): {"start_layer": "2"}}
    assert layer.settings == {"training": {"batch_size": "8"}}


def test_names_with_underscores_keep_them() -> None:
    layer = request_of("--backbone.open_clip.quick-gelu", "true").layer

    assert layer.values == {("backbone", "open_clip"): {"quick_gelu": "true"}}


def test_settings_go_to_their_tables() -> None:
    layer = request_of("--model", "timm:x", "--epochs", "2", "--skip-unreadable").layer

    assert layer.settings == {
        "model": {"name": "timm:x"},
        "training": {"epochs": "2", "skip_unreadable": True},
    }


def test_negative_numbers_are_values() -> None:
    assert request_of("--lr", "-1").layer.settings == {"training": {"lr": "-1"}}


def test_the_rest_goes_to_the_request() -> None:
    request = request_of("--recipe", "paper", "--config", "a.toml", "--out", "b", "--dry-run")

    assert (request.recipe, request.config, request.out) == ("paper", Path("a.toml"), Path("b"))
    assert (request.dry_run, request.resume, request.as_json) == (True, False, False)


def test_set_may_be_repeated_and_seed_is_a_number() -> None:
    request = request_of("--set", "training.lr=1", "--set", "model.head=own", "--seed", "4")

    assert request.layer.settings == {"training": {"lr": "1"}, "model": {"head": "own"}}
    assert request.layer.seed == 4


def test_options_of_a_third_party_plugin_are_there_at_once(
    install: Callable[..., Distribution],
) -> None:
    install("checker-on-disk", CHECKER)

    assert request_of("--mask.checker.period", "3", "--period", "4").layer == (
        request_of("--set", "mask.checker.period=3", "--period", "4").layer
    )


def test_an_option_of_cfft_wins_over_the_short_one_of_a_strategy(
    install: Callable[..., Distribution],
) -> None:
    install("checker-on-disk", CHECKER)

    assert request_of("--seed", "4").layer.seed == 4
    assert request_of("--seed", "4").layer.short == {}


def test_help_shows_third_party_parameters_with_brackets_as_they_are(
    install: Callable[..., Distribution], cfft_command: Callable[..., Any]
) -> None:
    install("checker-on-disk", CHECKER)

    shown = " ".join(cfft_command("run", "--help").out.replace("│", " ").split())

    assert "--mask.checker.period N distance [in patches] [>= 2; default 2; 3 with fill" in shown
    assert "choose the patches to hide: checker, context" in shown


def test_help_groups_options_and_lists_recipes(cfft_command: Callable[..., Any]) -> None:
    shown = cfft_command("run", "--help").out

    panels = ["What to train on", "Method", "Training", "Configuration", "Output"]
    places = [shown.index(f"─ {panel} ") for panel in [*panels, "Parameters of the chosen mask"]]
    assert places == sorted(places)
    assert "--recipe vanilla: Fine-tuning with cross-entropy alone" in shown


def test_a_misspelt_option_is_answered_with_the_nearest(cfft_command: Callable[..., Any]) -> None:
    ended = cfft_command("run", "--thresold", "0.5")

    assert ended.code == 2
    assert ended.err == (
        "error: unknown option --thresold; did you mean --threshold? all options: cfft run --help\n"
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
    assert re.fullmatch(f"error: .*{message}.* cfft .* --help\n", ended.err)


def test_an_argument_is_no_option_to_mean(cfft_command: Callable[..., Any]) -> None:
    assert "did you mean suite" not in cfft_command("data", "verify", "--suite", "x").err


def test_the_word_that_takes_a_flag_back_is_an_option_too() -> None:
    app = typer.Typer(add_completion=False)
    heard: list[bool] = []

    @app.command(cls=SpeltCommand)
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
        check_spelling(words, FLAGS, "cfft run")


@pytest.mark.parametrize(
    "words",
    [
        ["--lr", "-1"],
        ["--lr=-1"],
        ["--set", "--odd"],
        ["--mask.a_b.x", "--odd"],
        ["--dry_run", "--", "--odd"],
        ["--lr"],
    ],
)
def test_what_is_a_value_is_taken_for_no_option(words: list[str]) -> None:
    check_spelling(words, FLAGS, "cfft run")


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

    assert default_words(param) == "default 0.3; 0.6 with fill multi"
