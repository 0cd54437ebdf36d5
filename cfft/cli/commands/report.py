"""The command `cfft report`: one page about several models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cfft.cli.errors import starting
from cfft.cli.options.command import Command
from cfft.cli.options.volume import with_volume
from cfft.cli.streams import say
from cfft.errors import counted
from cfft.runtime.files import check_free, reserved
from cfft.runtime.locks import check_unheld

if TYPE_CHECKING:
    from cfft.report.summary import Summary

_HELP = """{summary}

For example: cfft report 'runs/*' --out comparison, then open comparison/report.html

Runs that differ only in their seed are one configuration: tables show mean and standard \
deviation, curves the mean and the range, confusions the mean.
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command."""
    app.command(name, cls=Command, help=_HELP.format(summary=summary))(with_volume(report))


def report(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="directories of finished runs (cfft run --out), of evaluations (cfft eval --out) "
            "and of sweeps (cfft sweep --out), or patterns of them in quotes",
            metavar="RUN|EVAL|SWEEP ...",
            show_default=False,
        ),
    ] = None,
    imports: Annotated[
        list[Path] | None,
        typer.Option(
            "--import",
            help="accuracies measured elsewhere: one JSON object per line and model, such as "
            '{"name": "a", "ImageNet": 0.75, "ImageNetV2": 0.63}; may be repeated',
            metavar="FILE.jsonl",
        ),
    ] = None,
    id_sets: Annotated[
        list[str] | None,
        typer.Option(
            "--id",
            help="set of imported files that is in distribution (ID), all others are OOD; may be "
            "repeated; the first is the x-axis of figures; without it ImageNet where a file "
            "has it, else its first set",
            metavar="SET",
        ),
    ] = None,
    baseline_line: Annotated[
        list[str] | None,
        typer.Option(
            help="model or configuration, or a pattern of them, that the line of effective "
            "robustness is fitted to; it takes 3 models; may be repeated; without it all models "
            "but weight ensembles, if there are 10 or more",
            metavar="NAME",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="directory to write", metavar="DIR", show_default="a new one, report*"),
    ] = None,
    images: Annotated[
        bool,
        typer.Option(
            help="show the images that became wrong or right, from the suite of their run; without "
            "images the page has their names alone",
        ),
    ] = True,
    pdf: Annotated[
        bool,
        typer.Option(
            "--pdf",
            help="print the page to report.pdf, too, with the panels of all charts; needs "
            "cfft[pdf] and a Chromium",
            metavar="",
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="print the numbers as JSON; without --out or --pdf nothing is written",
            metavar="",
        ),
    ] = False,
) -> None:
    """Gather models, put them side by side and write the page."""
    if out is not None:
        check_free(out)
        check_unheld(out)
    if pdf:
        from cfft.report.pdf import require_browser

        require_browser()
    summary = _summary(sources or [], imports or [], id_sets or [], baseline_line or [])
    if out is not None:
        _write(summary, out, images=images, pdf=pdf, as_json=as_json)
    elif pdf or not as_json:
        with reserved(Path("report")) as place:
            _write(summary, place, images=images, pdf=pdf, as_json=as_json)
    if as_json:
        from cfft.report.as_json import as_json as data

        typer.echo(json.dumps(data(summary), indent=2))


def _summary(
    sources: list[str], imports: list[Path], id_sets: list[str], baseline: list[str]
) -> Summary:
    with starting():
        from cfft.report.sources.collect import collect  # torch comes with it
        from cfft.report.summary import summarise

    return summarise(collect(sources, imports, id_sets), baseline)


def _write(summary: Summary, out: Path, *, images: bool, pdf: bool, as_json: bool) -> None:
    from cfft.report.verdict import verdict
    from cfft.report.write import PAGE, write_report

    write_report(summary, out, with_images=images, with_pdf=pdf)
    if not as_json:
        models = counted(len(summary.material.models), "model")
        say(f"wrote {out / PAGE}: {models}, ", end="")
        say(f"ID {summary.id_set}, OOD {', '.join(summary.targets[1:]) or 'none'}")
        found = verdict(summary)
        for sentence in found.sentences:
            say(sentence)
        for step in found.steps:
            say(f"next: {step}")
