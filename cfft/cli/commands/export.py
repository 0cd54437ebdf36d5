"""The command `cfft export`: a model for other programs, with a model card."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cfft.cli.errors import starting
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import JSON, OUTPUT, Option, parameter_options
from cfft.cli.output.live import reporting
from cfft.cli.streams import say
from cfft.evaluation.exporting.entry import KIND, planned_export
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import json_text

if TYPE_CHECKING:  # torch comes with it
    from cfft.evaluation.exporting.record import ExportRecord

_TEXT = "Text tower"
_HELP = """{summary}

For example: cfft export runs/a --to NAME --out exported

The export is loaded again by the program that it is for and compared with the model before the
command says that it is done. Nothing is sent anywhere without --push.
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command, with options for every exporter that is installed."""
    registry = Registry.installed()
    text = _HELP.format(summary=summary)
    options, action = export_options(registry), partial(export, registry)
    add_command(app, name, options, action, registry, help=text)


def export_options(registry: Registry) -> list[Option]:
    """Return the options of `cfft export` in the order of its help."""
    own = list(_own_options(registry))
    return [*own, *parameter_options(registry, (KIND,), own)]


def export(
    registry: Registry,
    *,
    path: str,
    to: str,
    out: str,
    push: str | None = None,
    as_json: bool = False,
    **keywords: Any,
) -> None:
    """Export what is asked for and say where it lies."""
    planned = planned_export(registry, path, to, keywords, Path(out), push)
    with starting():
        from cfft.evaluation.exporting.job import export_model  # torch comes with it
    with reporting(as_json=as_json) as watcher:
        record = export_model(planned, watcher)
    _show(record, as_json=as_json)


def _own_options(registry: Registry) -> Iterator[Option]:
    model = "run directory (its best checkpoint), checkpoint directory, or a weight file in one"
    yield Option("path", model, "", "RUN", is_argument=True, required=True)
    yield Option("to", f"format: {', '.join(registry.names(KIND))}", "", "NAME", required=True)
    name = "the model that it was fine-tuned from [default as its run or checkpoint says]"
    weights = "weights that it was fine-tuned from, a tag or a file [default as its run says]"
    yield Option("model", name, _TEXT, "NAME")
    yield Option("pretrained", weights, _TEXT, "TAG")
    yield Option("out", "new directory", OUTPUT, "DIR", required=True)
    push = "also send it to the Hugging Face hub, as a new private repository OWNER/NAME"
    yield Option("push", push, OUTPUT, "REPO")
    yield JSON


def _show(record: ExportRecord, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json_text(record))
        return
    say(
        f"wrote {record.out}: as {record.exporter}, its features differ by at most "
        f"{record.difference.features:.1g} of the largest, its logits by "
        f"{record.difference.logits:.1g}"
    )
    say("its README.md is a model card: state the licence in it before you publish it")
    if record.pushed is not None:
        say(f"pushed to {record.pushed}, which you alone can see")
