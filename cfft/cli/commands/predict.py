"""The command `cfft predict`: labels and probabilities for images without labels."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import typer

from cfft.cli.errors import starting
from cfft.cli.options.command import Command
from cfft.cli.options.volume import with_volume
from cfft.cli.output.consoles import console
from cfft.cli.output.live import reporting
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry
from cfft.runtime.files import require_free
from cfft.runtime.locks import check_unheld
from cfft.runtime.outputs import adding
from cfft.runtime.outside import json_line, shown

if TYPE_CHECKING:
    from cfft.evaluation.predict import RankedClass

Format = Literal["csv", "jsonl"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

_FILE_NAMES = "surrogateescape"
_HELP = """{summary}

For example: cfft predict runs/object holiday/ > labels.csv

Each line holds path, rank, label, class_index and probability; with --top K each image has K lines.
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command."""
    app.command(name, cls=Command, help=_HELP.format(summary=summary))(with_volume(predict))


def predict(
    model: Annotated[
        Path, typer.Argument(help="run directory or checkpoint directory", metavar="RUN")
    ],
    images: Annotated[
        list[str],
        typer.Argument(help="image files, folders or 'patterns/**/*.jpg'", metavar="IMAGES"),
    ],
    top: Annotated[int, typer.Option(help="classes per image", metavar="K", min=1)] = 1,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="csv (default) or jsonl, one JSON object per line",
            metavar="NAME",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="the same as --format jsonl", metavar="")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="new file, instead of stdout", metavar="FILE")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="images per pass", metavar="N", min=1)] = 64,
    workers: Annotated[
        int | None,
        typer.Option(
            help="decoding workers; by default one per processor, at most 8; 0 decodes in the "
            "main process",
            metavar="N",
            min=0,
        ),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="auto, fp32, bf16 or fp16, as in a run", metavar="NAME")
    ] = "auto",
    skip_unreadable: Annotated[
        bool,
        typer.Option(
            "--skip-unreadable",
            help="leave unreadable images out and say so on stderr",
            metavar="",
        ),
    ] = False,
) -> None:
    """Label images with a stored model."""
    require_free(out)
    if out is not None:
        check_unheld(out)
    form = _format(form, as_json)
    with starting():
        from cfft.evaluation import predict as prediction  # torch comes with it
        from cfft.evaluation.models.load import load
    with reporting(as_json=False) as watcher:
        paths = prediction.find_images(images, watcher)
        stored = load(model, Registry.installed())
        classes = stored.classes
        prediction.check_top(top, classes)
        found = prediction.predict(
            stored, paths, batch_size, workers, precision, watcher, skip_unreadable
        )
    _write(_spelled(prediction.likeliest(found, classes, top), form), out)


def _format(form: Format | None, as_json: bool) -> Format:
    if as_json and form == "csv":
        raise ConfigError("--json writes JSON lines and --format csv does not: leave one out")
    return form or ("jsonl" if as_json else "csv")


def _write(text: str, out: Path | None) -> None:
    """Write lines in UTF-8; names of files that are none keep their bytes but in a terminal."""
    if out is None and sys.stdout.isatty():
        sys.stdout.write(shown(text))
        return
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode(errors=_FILE_NAMES))
        return
    with adding(out, "meanwhile: the labels are in {}".format) as partial:
        partial.write_text(text, "utf-8", _FILE_NAMES)
    console(stderr=True).print(f"wrote {out}", soft_wrap=True)


def _spelled(guesses: Iterable[RankedClass], form: Format) -> str:
    rows = [attrs.asdict(guess) for guess in guesses]
    if form == "jsonl":
        return "".join(json_line(row) + "\n" for row in rows)
    return "".join(map(_csv_line, [rows[0], *map(dict.values, rows)]))


def _csv_line(values: Iterable[object]) -> str:
    """Spell a line of CSV; what holds any end of a line, a carriage return too, is in quotes."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return text.getvalue().removesuffix("\r\n") + "\n"
