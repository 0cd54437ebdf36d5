"""The command `cfft doctor`: what a run finds on this machine."""

from __future__ import annotations

import json

import typer

from cfft.cli.errors import starting
from cfft.cli.options.command import AsJson, Command
from cfft.cli.options.volume import with_volume
from cfft.cli.output.consoles import console
from cfft.cli.output.diagnosis import print_diagnosis
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry

_HELP = """{summary}

Ends with 0, or with 2 where something would stop a run, which it names.
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command."""
    app.command(name, cls=Command, help=_HELP.format(summary=summary))(with_volume(doctor))


def doctor(as_json: AsJson = False) -> None:
    """Show what is found; raises ConfigError where a run would fail."""
    with starting():
        from cfft.training.doctor import diagnose
    found = diagnose(Registry.installed())
    if as_json:
        typer.echo(json.dumps(found.record(), indent=2))
    else:
        print_diagnosis(console(), found)
    if found.problems:
        raise ConfigError(*found.problems)
