"""The command `cfft merge`: the weight average of two models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cfft.cli.errors import starting
from cfft.cli.options.command import Command

_ARGUMENT = "run directory, checkpoint directory or weight file"


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command."""
    app.command(name, cls=Command, help=f"{summary} WiSE-FT, Wortsman et al. 2022.")(merge)


def merge(
    a: Annotated[Path, typer.Argument(help=f"first model: {_ARGUMENT}", metavar="A")],
    b: Annotated[Path, typer.Argument(help=f"second model: {_ARGUMENT}", metavar="B")],
    out: Annotated[
        Path,
        typer.Option(help="FILE.safetensors, or a new checkpoint directory", metavar="PATH"),
    ],
    alpha: Annotated[
        float, typer.Option(help="share of B: 0 gives A, 1 gives B", metavar="X")
    ] = 0.5,
) -> None:
    """Write (1 - alpha) * A + alpha * B; a directory also describes the model."""
    with starting():
        from cfft.evaluation.merge import merge_models  # torch comes with it
    merge_models(a, b, out, alpha)
    typer.echo(f"wrote {out}")
