"""Plug-ins as real distributions on disk: found, isolated when broken, listed with a reason."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import Distribution
from typing import Any

import pytest

from cfft.errors import ConfigError, PluginError
from cfft.plugin.registry import Registry

Install = Callable[..., Distribution]

CHECKER = """
    import cfft

    @cfft.mask("checker")
    class CheckerMask:
        '''Hide every n-th patch, as on a chessboard.'''
        period: int = cfft.param(2, help="distance between hidden patches", ge=2)
        def select(self, batch, view): ...

    @cfft.hookimpl
    def cfft_masks():
        return [CheckerMask]
"""


def load(*distributions: Distribution) -> Registry:
    return Registry.installed([point for found in distributions for point in found.entry_points])


def reason(plugins: Registry) -> str:
    (broken,) = plugins.broken
    assert broken.error is not None
    return broken.error


def test_a_distribution_on_the_path_is_found_by_itself(install: Install) -> None:
    install("checker-on-disk", CHECKER, "1.2")

    provided = Registry.installed().find("mask", "checker")

    assert provided.plugin.distribution == "checker-on-disk"
    assert provided.plugin.version == "1.2"
    assert provided.declaration.summary == "Hide every n-th patch, as on a chessboard."


def test_nothing_installed_says_that_cfft_itself_is_not() -> None:
    with pytest.raises(PluginError, match="install cfft with pip"):
        Registry.installed([])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def (:", "SyntaxError: invalid syntax"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        (CHECKER.replace("@cfft.hookimpl", ""), r"cfft_masks() is not marked with @cfft.hookimpl"),
        (CHECKER.replace("cfft_masks", "cfft_mask"), "did you mean 'cfft_masks'?"),
        (CHECKER.replace("cfft_masks", "cftt_masks"), "unknown hook 'cftt_masks'"),
        (CHECKER.replace("cfft_masks()", "cfft_masks(config)"), "config"),
        (CHECKER.replace("[CheckerMask]", "CheckerMask"), "must return a list of classes"),
        (CHECKER.replace("[CheckerMask]", "None"), "must return a list of classes"),
        (CHECKER.replace("[CheckerMask]", "[int]"), "is not a strategy: decorate the class"),
        (CHECKER.replace("def cfft_masks", "def cfft_fills"), "'checker', which is a mask"),
        (CHECKER.replace("def select", "def choose"), "has no method select()"),
        (CHECKER.replace("param(2", "param(1"), "mask.checker.period: default: got 1"),
        (CHECKER.replace("period: int", "period"), "write NAME: TYPE"),
    ],
)
def test_a_broken_plugin_is_listed_with_its_reason_in_one_line(
    install: Install, source: str, words: str
) -> None:
    plugins = load(install("broken", source))

    assert words in reason(plugins)
    assert "\n" not in reason(plugins)
    assert plugins.provided == []


def test_a_broken_plugin_leaves_the_others_alone(install: Install) -> None:
    plugins = load(install("broken", "import no_such_module"), install("checker", CHECKER))

    assert [p.declaration.name for p in plugins.provided] == ["checker"]
    assert [p.distribution for p in plugins.broken] == ["broken"]


def test_hooks_of_a_broken_plugin_are_not_called(install: Install) -> None:
    source = (
        CHECKER.replace("[CheckerMask]", "[int]")
        + """
    @cfft.hookimpl
    def cfft_run_ended(results):
        raise RuntimeError("called")
"""
    )
    plugins = load(install("half", source))

    assert plugins.hook.cfft_run_ended(results={}) == []


def test_run_hooks_of_every_plugin_are_called_with_what_they_ask_for(install: Install) -> None:
    source = """
        import cfft

        @cfft.hookimpl
        def cfft_epoch_ended(metrics):
            return metrics["val_top1"]
    """
    plugins = load(install("first", source), install("second", source))

    assert plugins.hook.cfft_epoch_ended(epoch=1, metrics={"val_top1": 0.5}) == [0.5, 0.5]


def test_asking_for_what_a_broken_plugin_would_provide_names_it_and_its_version(
    install: Install,
) -> None:
    registry = load(install("broken", "import no_such_module", "3.1"))

    with pytest.raises(ConfigError, match=r"(?s)unknown mask 'checker'.*\(broken 3.1\) cannot be"):
        registry.find("mask", "checker")


def test_a_clash_lists_every_provider_with_its_version(install: Install) -> None:
    found = [install("one", CHECKER, "1.0"), install("two", CHECKER, "2.0")]
    registry = load(*found, install("three", CHECKER, "3.0"))

    with pytest.raises(PluginError) as caught:
        registry.find("mask", "checker")

    message = str(caught.value)
    assert "mask 'checker' is provided by" in message
    assert all(origin in message for origin in ("(one 1.0)", "(two 2.0)", "(three 3.0)"))


def test_a_clash_stops_only_those_who_use_the_name(install: Install) -> None:
    stripes = CHECKER.replace('"checker"', '"stripes"')
    found = [install("one", CHECKER), install("two", CHECKER), install("three", stripes)]
    registry = load(*found)

    assert registry.find("mask", "stripes").plugin.distribution == "three"
    assert list(registry.clashes()) == [("mask", "checker")]


def test_the_same_distribution_found_twice_is_one(install: Install) -> None:
    checker = install("checker", CHECKER)

    assert len(load(checker, checker).plugins) == 1


def test_a_wrong_value_names_plugin_distribution_and_version(install: Install) -> None:
    registry = load(install("checker", CHECKER, "1.2"))

    with pytest.raises(ConfigError) as caught:
        registry.build("mask", "checker", {"period": 1, "phase": 0}, {})

    surplus, period = str(caught.value).split("\n")
    assert "mask.checker: unknown parameter 'phase'" in surplus
    assert "mask.checker.period: got 1, allowed: a whole number >= 2" in period
    assert period.endswith("[plug-in checker_plugin (checker 1.2)]")


def test_several_strategies_of_one_plugin_come_in_order_of_their_names(install: Install) -> None:
    source = (
        CHECKER.replace("return [CheckerMask]", "return [CheckerMask, Dots]")
        + """
    @cfft.mask("bands")
    class Dots:
        '''Hide bands.'''
        def select(self, batch, view): ...
"""
    )
    registry = load(install("several", source))

    assert registry.names("mask") == ("bands", "checker")


def test_unknown_names_are_answered_with_the_nearest(install: Install) -> None:
    registry: Any = load(install("checker", CHECKER))

    with pytest.raises(ConfigError, match="unknown mask 'cheker'; did you mean 'checker'"):
        registry.find("mask", "cheker")
