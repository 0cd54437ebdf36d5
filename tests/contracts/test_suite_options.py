"""Short options of suites mean one thing, and the commands that the pages show can be given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cfft.cli.commands.eval import eval_options
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import Option, run_options
from cfft.config.keywords import Keywords
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.config.settings import Evaluation, Model, Training
from cfft.data.suite import Suite
from cfft.plugin.params import declaration
from cfft.plugin.registry import Registry

REGISTRY = Registry.installed()
SUITES = [provided.declaration for provided in REGISTRY.of_kind("suite")]
SETTINGS = {
    declared.option(param.name)
    for declared in map(declaration, (Evaluation, Model, Training))
    for param in declared.params
}
PAGES = Path(__file__).parents[2] / "docs"


def shown(command: str) -> list[str]:
    """Return the arguments of every `cfft command` of the pages about data that names a suite."""
    text = "".join((PAGES / page).read_text("utf-8") for page in ("data.md", "suites.md"))
    return re.findall(rf"^ {{4}}cfft {command} (.*--suite.*)", text, re.MULTILINE)


def resolved(options: list[Option], line: str) -> RunConfig:
    """Return the configuration that a command line of these options stands for."""
    found: list[RunConfig] = []

    def resolve_keywords(models: object = (), **keywords: object) -> None:
        found.append(resolve(REGISTRY, Keywords(REGISTRY).layers(keywords)))

    app = typer.Typer()
    add_command(app, "command", options, resolve_keywords, REGISTRY, help="")
    CliRunner().invoke(app, shlex.split(line), catch_exceptions=False)
    return found[0]


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_no_parameter_of_a_suite_is_spelt_like_a_setting(suite: object) -> None:
    assert {suite.option(param.name) for param in suite.params} & SETTINGS == set()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_what_only_measuring_asks_a_suite_for_are_parameters_of_it(suite: object) -> None:
    names = {param.name for param in suite.params}

    assert set(Suite.of(suite.cls).only_measured) <= names


@pytest.mark.parametrize("line", shown("run"))
def test_a_command_that_the_pages_show_can_be_given(line: str) -> None:
    config = resolved(run_options(REGISTRY), line)

    assert config.suite.name in line.split()


@pytest.mark.parametrize(
    "line",
    [
        "--suite webdataset --classes c.txt --train-tars none --test-tars t.tar",
        "--suite hf --data d --train-split none --test-split test",
    ],
)
def test_a_suite_that_is_only_measured_on_can_be_given_to_eval(line: str) -> None:
    line = f"zero-shot --model ViT-B-32 --pretrained openai {line}"

    assert resolved(eval_options(REGISTRY), line).suite.name in line.split()
