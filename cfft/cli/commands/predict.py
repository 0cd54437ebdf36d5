"""The command `cfft predict`: labels and probabilities for images without labels."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import typer

from cfft.cli.errors import starting
from cfft.cli.options.command import Command
from cfft.cli.output.consoles import console
from cfft.cli.output.live import reporter
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry
from cfft.runtime.files import require_free, write_text

if TYPE_CHECKING:
    from cfft.evaluation.predict import RankedClass

Format = Literal["csv", "jsonl"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

_FILE_NAMES = "surrogateescape"
_HELP = """{summary}

For example: cfft predict runs/object holiday/ > labels.csv

A line holds path, rank, label, class_index and probability; with --top K a image has K of them.
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command."""
    app.command(name, cls=Command, help=_HELP.format(summary=summary))(predict)


def predict(
    model: Annotated[
        Path, typer.Argument(help="Run directory or checkpoint directory.", metavar="RUN")
    ],
    images: Annotated[
        list[str],
        typer.Argument(help="Image files, folders or 'patterns/**/*.jpg'.", metavar="IMAGES"),
    ],
    top: Annotated[int, typer.Option(help="Classes a image.", metavar="K", min=1)] = 1,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="csv (the default), or jsonl: a JSON object a line.", metavar="NAME"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The same as --format jsonl.", metavar="")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="New file, instead of stdout.", metavar="FILE")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images per pass.", metavar="N", min=1)] = 64,
    workers: Annotated[
        int, typer.Option(help="Processes that decode images; 0: none.", metavar="N", min=0)
    ] = 2,
    precision: Annotated[
        Precision, typer.Option(help="auto, fp32, bf16 or fp16, as in a run.", metavar="NAME")
    ] = "auto",
    skip_unreadable: Annotated[
        bool,
        typer.Option(
            "--skip-unreadable",
            help="Leave unreadable images out and say so on stderr.",
            metavar="",
        ),
    ] = False,
) -> None:
    """Label images with a stored model."""
    require_free(out)
    spelled = _SPELLED[_format(form, as_json)]
    watcher = reporter(console(stderr=True), console(stderr=True), as_json=False)
    with starting():
        from cfft.evaluation import predict as prediction  # torch comes with it
        from cfft.evaluation.models.load import load
    paths = prediction.find_images(images)
    stored = load(model, Registry.installed())
    classes = stored.classes
    prediction.check_top(top, classes)
    try:
        found = prediction.predict(
            stored, paths, batch_size, workers, precision, watcher, skip_unreadable
        )
    finally:
        watcher.close()
    _write(spelled(prediction.likeliest(found, classes, top)), out)


def _format(form: Format | None, as_json: bool) -> Format:
    if as_json and form == "csv":
        raise ConfigError("--json writes JSON lines and --format csv does not: leave one out")
    return form or ("jsonl" if as_json else "csv")


def _write(text: str, out: Path | None) -> None:
    """Write lines; names of files that are no UTF-8 keep their bytes."""
    if out is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors=_FILE_NAMES)
        typer.echo(text, nl=False)
        return
    write_text(out, text, _FILE_NAMES)
    typer.echo(f"wrote {out}", err=True)


def _as_csv(guesses: Iterable[RankedClass]) -> str:
    from cfft.evaluation.predict import RankedClass

    text = io.StringIO()
    writer = csv.DictWriter(
        text, [field.name for field in attrs.fields(RankedClass)], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(map(attrs.asdict, guesses))
    return text.getvalue()


def _as_json_lines(guesses: Iterable[RankedClass]) -> str:
    return "".join(json.dumps(attrs.asdict(guess), ensure_ascii=False) + "\n" for guess in guesses)


_SPELLED = {"csv": _as_csv, "jsonl": _as_json_lines}
