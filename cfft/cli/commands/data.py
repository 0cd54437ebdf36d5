"""The command `cfft data`: list suites, verify their images and prepare them for a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import attrs
import typer
from rich.table import Table

from cfft.cli.errors import starting
from cfft.cli.options.command import AsJson, Command, CommandGroup
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import JSON, Option, configuring, parameter_options
from cfft.cli.options.volume import with_volume
from cfft.cli.output.consoles import console
from cfft.cli.output.live import reporting
from cfft.cli.output.prepared import print_prepared
from cfft.cli.output.strategy import summary_record
from cfft.cli.output.verification import print_verification
from cfft.config.choices import only_strategy
from cfft.config.keywords import FILES, Keywords
from cfft.config.layers import SEED
from cfft.config.resolve import resolve
from cfft.data.suite import Suite
from cfft.errors import ConfigError, DataError, shortened_list
from cfft.plugin.params import values_of
from cfft.plugin.registry import Provided, Registry, broken_line
from cfft.runtime.json_files import json_text

_READABLE = 100  # columns, where pipes and wide terminals have more
_HELP = """Compare the images on disk with what a suite expects.

Every set is opened, counted and read: classes and images against the numbers of the published \
sets, images that cannot be read, and images that training, test and OOD sets share. The exit \
code is 0 if nothing is wrong, else 2.

For example: cfft data verify domains DIR --id photo
"""
_PREPARE_HELP = """Store every image of a suite once at a model's input size.

Runs and evaluations of models that see images of that size then read what is stored, pixel for \
pixel what they would have decoded. What changes later is decoded again. Calling it again makes \
what is lacking, and what is damaged, anew.

For example: cfft data prepare imagenet DIR --model ViT-B-32 --pretrained openai

They lie in the user's cache directory, or where the environment variable CFFT_PREPARED says: \
147 KiB an image at 224 pixels.
"""
_PREPARED_BY = ("suite", "backbone")
_PREPARE_SETTINGS = ("model", "pretrained", "workers", "skip_unreadable")


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command with its sub-commands."""
    registry = Registry.installed()
    data = typer.Typer(cls=CommandGroup, help=summary, no_args_is_help=True)
    data.command("list", cls=Command)(with_volume(list_suites))
    own = list(_own_options())
    options = [*own, *parameter_options(registry, ("suite",), own)]
    add_command(data, "verify", options, partial(verify_suite, registry), registry, help=_HELP)
    sized = prepare_options(registry)
    action = partial(prepare_suite, registry)
    add_command(data, "prepare", sized, action, registry, help=_PREPARE_HELP)
    app.add_typer(data, name=name)


def list_suites(as_json: AsJson = False) -> None:
    """List the installed suites: what they are, their sets, and which packages they need."""
    registry = Registry.installed()
    records = [suite_record(provided) for provided in registry.of_kind("suite")]
    if as_json:
        typer.echo(json.dumps(records, indent=2))
        return
    out = console()
    out.print(_listing(records), width=min(out.width, _READABLE))
    for plugin in registry.broken:
        out.print(broken_line(plugin), style="red", soft_wrap=True)


def suite_record(provided: Provided) -> dict[str, Any]:
    """Return what a suite's class says of itself, and whether what it requires is installed."""
    suite = Suite.of(provided.declaration.cls)
    return {
        **summary_record(provided),
        "sets": list(suite.known_sets),
        "requires": [
            {"module": module, "install": install, "installed": find_spec(module) is not None}
            for module, install in suite.requires.items()
        ],
    }


def _listing(records: list[dict[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for record in records:
        needs = (
            f"{each['module']} (installed)"
            if each["installed"]
            else f"{each['module']} (pip install '{each['install']}')"
            for each in record["requires"]
        )
        facts = {"sets": ", ".join(record["sets"]), "needs": ", ".join(needs)}
        lines = [f"{name}: {words}" for name, words in facts.items() if words]
        table.add_row(record["name"], "\n".join([record["summary"], *lines]))
    return table


def _own_options() -> Iterator[Option]:
    suite, images = "name of a suite: cfft data list", "where its images are: --data"
    yield Option("suite", suite, "", "SUITE", is_argument=True, required=True)
    yield Option("directory", images, "", "DIR", is_argument=True)
    yield Option("seed", "seed of the run whose splits to check", "", "N", param=SEED)
    yield Option("counts_only", "count images without reading them", "")
    yield Option("allow_absent", "accept missing sets", "")
    yield attrs.evolve(JSON, panel="")


def prepare_options(registry: Registry) -> list[Option]:
    """Return the options of `cfft data prepare` in the order of its help."""
    own = [each for each in _own_options() if each.keyword in ("suite", "directory", "as_json")]
    made = configuring(registry, own, _PREPARED_BY, _PREPARE_SETTINGS)
    shown = (attrs.evolve(o, rare=False) if o.keyword in _PREPARE_SETTINGS else o for o in made)
    return [option for option in shown if option.keyword not in FILES]


def prepare_suite(
    registry: Registry,
    *,
    suite: str,
    directory: str | None = None,
    as_json: bool = False,
    **keywords: Any,
) -> None:
    """Prepare the images of a suite and show what there is."""
    _take_directory(directory, keywords)
    config = resolve(registry, Keywords(registry, files=False).layers({"suite": suite, **keywords}))
    with starting():
        from cfft.training.prepared_images import prepare_images  # torch comes with it
    with reporting(as_json=as_json) as watcher:
        made = prepare_images(config, watcher)
    if as_json:
        typer.echo(json_text({"sets": made}))
    else:
        print_prepared(console(), made)


def verify_suite(
    registry: Registry,
    *,
    suite: str,
    directory: str | None = None,
    seed: int = 0,
    counts_only: bool = False,
    allow_absent: bool = False,
    as_json: bool = False,
    **parameters: str,
) -> None:
    """Verify a suite and show what was found; raises DataError with a summary of what is wrong."""
    _take_directory(directory, parameters)
    keywords = Keywords(registry, ("suite",), (), files=False)
    chosen = only_strategy(registry, keywords.layer({"suite": suite, **parameters}), "suite")
    with starting():
        from cfft.data.verification.verify import verify  # torch comes with it
    with reporting(as_json=as_json) as watcher:
        found = verify(chosen, seed, decode=not counts_only, reporter=watcher)
    if as_json:
        asked = {"use": suite, **values_of(chosen)}
        typer.echo(json.dumps({"suite": asked, "seed": seed, **found.record()}, indent=2))
    else:
        print_verification(console(), found)
    problems = list(found.problems)
    if found.absent and not allow_absent:
        problems.append(f"absent: {shortened_list(found.absent)}; --allow-absent accepts that")
    if problems:
        raise DataError(*problems)


def _take_directory(directory: str | None, parameters: dict[str, Any]) -> None:
    """Take DIR as the suite's parameter `data`."""
    if directory is not None and "data" in parameters:
        given = parameters["data"]
        raise ConfigError(f"DIR {directory} and --data {given} mean the same: give one of them")
    if directory is not None:
        parameters["data"] = directory
