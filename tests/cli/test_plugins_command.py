"""`cfft plugins list`, `show` and `check`, for people and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import Distribution
from typing import Any

import pytest

Command = Callable[..., Any]
Install = Callable[..., Distribution]

CHECKER = """
    import cfft, torch

    @cfft.mask("checker")
    class CheckerMask:
        '''Hide every n-th patch, as on a [chess]board.'''
        period: int = cfft.param(2, help="distance", ge=2, given={"fill": {"multi": 3}})
        def select(self, batch, view):
            rows, columns = (torch.arange(n) for n in view.grid)
            hidden = (rows[:, None] + columns) % self.period == 0
            return cfft.MaskSelection(hidden.expand(len(batch.images), -1, -1))

    @cfft.hookimpl
    def cfft_masks():
        return [CheckerMask]
"""


def test_list_shows_every_strategy_with_summary_and_version(
    cfft_command: Command, install: Install
) -> None:
    install("checker-on-disk", CHECKER, "1.2")

    ended = cfft_command("plugins", "list")

    assert ended.code == 0
    (line,) = [line for line in ended.out.splitlines() if "checker" in line]
    assert " ".join(line.split()) == (
        "mask checker Hide every n-th patch, as on a [chess]board. checker-on-disk 1.2"
    )


def test_list_as_json_holds_strategies_broken_plugins_and_clashes(
    cfft_command: Command, install: Install
) -> None:
    install("one", CHECKER, "1.0")
    install("two", CHECKER, "2.0")
    install("broken-on-disk", "import no_such_module")

    listing = json.loads(cfft_command("plugins", "list", "--kind", "mask", "--json").out)

    names = [strategy["name"] for strategy in listing["strategies"]]
    assert names == ["all", "checker", "checker", "context", "none", "object", "random"]
    assert [plugin["distribution"] for plugin in listing["broken"]] == ["broken-on-disk"]
    assert [(c["kind"], c["name"], len(c["plugins"])) for c in listing["clashes"]] == [
        ("mask", "checker", 2)
    ]


def test_list_names_broken_plugins_and_clashes_with_their_versions(
    cfft_command: Command, install: Install
) -> None:
    install("one", CHECKER, "1.0")
    install("two", CHECKER, "2.0")
    install("broken-on-disk", "import no_such_module", "3.1")

    ended = cfft_command("plugins", "list")

    assert ended.code == 0
    assert "(broken-on-disk 3.1) cannot be used: ModuleNotFoundError" in ended.out
    assert (
        "mask 'checker' is provided by one_plugin (one 1.0) and two_plugin (two 2.0)" in ended.out
    )


@pytest.mark.parametrize("words", [["mask", "checker"], ["mask.checker"]])
def test_show_tells_all_that_a_declaration_says(
    cfft_command: Command, install: Install, words: list[str]
) -> None:
    install("checker-on-disk", CHECKER, "1.2")

    ended = cfft_command("plugins", "show", *words)

    assert ended.code == 0
    for text in (
        "Hide every n-th patch, as on a [chess]board.",
        "--mask.checker.period N",
        "in short --period",
        "distance [>= 2; default 2; 3 with fill multi]",
        '[mask]\n  use = "checker"\n  period = 2',
        "checker-on-disk 1.2",
    ):
        assert text in ended.out


def test_show_of_a_kind_lists_it(cfft_command: Command, install: Install) -> None:
    install("checker-on-disk", CHECKER)

    ended = cfft_command("plugins", "show", "mask")

    assert ended.code == 0
    assert ended.out == cfft_command("plugins", "list", "--kind", "mask").out
    assert "checker" in ended.out


def test_show_of_a_kind_as_json_is_its_listing(cfft_command: Command) -> None:
    shown, listed = (
        json.loads(cfft_command("plugins", *words, "--json").out)
        for words in (["show", "mask"], ["list", "--kind", "mask"])
    )

    assert shown == listed


def test_show_as_json_has_the_same(cfft_command: Command, install: Install) -> None:
    install("checker-on-disk", CHECKER)

    shown = json.loads(cfft_command("plugins", "show", "mask.checker", "--json").out)

    assert shown["parameters"] == [
        {
            "name": "period",
            "type": "int",
            "required": False,
            "default": 2,
            "given": {"fill": {"multi": 3}},
            "allowed": "a whole number >= 2",
            "help": "distance",
            "option": "--mask.checker.period",
            "short": "--period",
        }
    ]


def test_show_offers_no_short_option_that_another_option_has_taken(cfft_command: Command) -> None:
    shown = json.loads(cfft_command("plugins", "show", "loss", "wise-kd", "--json").out)

    short = {param["name"]: param["short"] for param in shown["parameters"]}
    assert short == {"temperature": "--temperature", "weight": "--weight", "teacher": None}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["show", "maks", "object"], "unknown kind 'maks'; did you mean 'mask'?"),
        (["show", "mask", "objct"], "unknown mask 'objct'; did you mean 'object'?"),
        (
            ["show", "object"],
            "'object' is a name and its kind is missing: cfft plugins show mask.ob",
        ),
        (
            ["show", "none"],
            "its kind is missing: cfft plugins show mask.none or cfft plugins show f",
        ),
        (["list", "--kind", "maks"], "unknown kind 'maks'"),
        (["check", "mine"], "unknown plug-in 'mine'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(
    cfft_command: Command, words: list[str], line: str
) -> None:
    ended = cfft_command("plugins", *words)

    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert line in ended.err


@pytest.mark.parametrize("plugin", ["masks", "losses", "suites", "backbones"])
def test_check_finds_nothing_wrong_with_the_built_ins(cfft_command: Command, plugin: str) -> None:
    ended = cfft_command("plugins", "check", plugin)

    assert (ended.code, ended.err) == (0, "")
    assert ": all is well\n" in ended.out


@pytest.mark.parametrize("plugin", ["suites", "teachers"])
def test_check_needs_no_optional_package(
    cfft_command: Command, monkeypatch: pytest.MonkeyPatch, plugin: str
) -> None:
    for name in ("datasets", "webdataset", "wilds", "imagecorruptions", "pycocotools"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed

    ended = cfft_command("plugins", "check", plugin)

    assert (ended.code, ended.err) == (0, "")
    assert ("suite.webdataset" in ended.out) == (plugin == "suites")  # not tried without it


def test_check_says_what_it_could_not_try(cfft_command: Command) -> None:
    suites, teachers = (cfft_command("plugins", "check", name) for name in ("suites", "teachers"))

    assert "not tried, as it takes more than default values, or another package" in suites.out
    assert "suite.hf" in suites.out
    for name in ("folder", "domains", "lists", "shapes", "cifar10", "imagenet"):
        assert f"suite.{name}" not in suites.out  # these bring an example, or need none
    assert "not tried" not in teachers.out


def test_check_tries_a_strategy_with_the_example_that_it_brings(
    cfft_command: Command, install: Install
) -> None:
    required = CHECKER.replace("param(2, ", "param(")
    example = """
        @classmethod
        def example(cls, folder):
            return {"period": 1}
    """
    brought = required.replace("        def select", f"{example}\n        def select")
    install("without", required.replace('"checker"', '"plain"'))
    install("with-example", brought)

    plain, tried = (cfft_command("plugins", "check", name) for name in ("without", "with-example"))

    assert plain.code == 0
    assert "default values, or another package: mask.plain: see" in plain.out
    assert tried.code == 2
    assert "mask 'checker' cannot be made" in tried.err
    assert "mask.checker.period: got 1, allowed: a whole number >= 2" in tried.err


def test_check_runs_the_conformance_kit_on_one_distribution(
    cfft_command: Command, install: Install
) -> None:
    install("checker-on-disk", CHECKER)

    ended = cfft_command("plugins", "check", "checker-on-disk")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "1 plug-in with 1 strategy: all is well\n"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_module", "cannot be used: ModuleNotFoundError"),
        (CHECKER.replace(".expand(len(batch.images), -1, -1)", ""), "must be bool [B, gh, gw]"),
        (CHECKER.replace('"distance"', '" "'), "parameter 'period' has no help text"),
    ],
)
def test_check_ends_with_2_and_says_which_rule_is_broken(
    cfft_command: Command, install: Install, source: str, words: str
) -> None:
    install("bad-on-disk", source, "1.0")

    ended = cfft_command("plugins", "check", "bad-on-disk")

    assert ended.code == 2
    assert words in ended.err
    assert "(bad-on-disk 1.0)" in ended.err


def test_check_finds_clashes(cfft_command: Command, install: Install) -> None:
    install("one", CHECKER, "1.0")
    install("two", CHECKER, "2.0")

    ended = cfft_command("plugins", "check", "one")

    assert ended.code == 2
    assert "error: mask 'checker' is provided by one_plugin (one 1.0) and two_plugin" in ended.err


def test_what_a_plugin_prints_when_imported_is_no_part_of_the_json(
    cfft_command: Command, install: Install
) -> None:
    install("chatty", "print('welcome')\n")

    ended = cfft_command("plugins", "list", "--json")

    assert isinstance(json.loads(ended.out), (list, dict))
    assert "welcome" in ended.err
