"""The command `cfft merge`: the weight average of two models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from safetensors.torch import save_file

from cfft.checkpoint import Checkpoint, save
from cfft.errors import ConfigError, WeightsError
from cfft.merge import average_weights
from cfft.models import ModelDescription, find_weights, read_description
from cfft.weights import read_weights

_FILE = ".safetensors"
_ARGUMENT = "run directory, checkpoint directory or weight file"


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command."""
    app.command(name, help=f"{summary} WiSE-FT, Wortsman et al. 2022.")(merge)


def merge(
    a: Annotated[Path, typer.Argument(help=f"First model: {_ARGUMENT}.", metavar="A")],
    b: Annotated[Path, typer.Argument(help=f"Second model: {_ARGUMENT}.", metavar="B")],
    out: Annotated[
        Path,
        typer.Option(help=f"FILE{_FILE}, or a new checkpoint directory.", metavar="PATH"),
    ],
    alpha: Annotated[
        float, typer.Option(help="Share of B: 0 gives A, 1 gives B.", metavar="X")
    ] = 0.5,
) -> None:
    """Write (1 - alpha) * A + alpha * B; a directory also says which model it is."""
    if out.exists():
        raise ConfigError(f"--out {out} exists: give another path")
    first, second = find_weights(a), find_weights(b)
    description = _common_description(first, second)
    if out.suffix != _FILE and description is None:
        raise ConfigError(f"{a} does not say which model it is: give --out NAME{_FILE}")
    weights = average_weights(read_weights(first).tensors, read_weights(second).tensors, alpha)
    if out.suffix == _FILE or description is None:
        out.parent.mkdir(parents=True, exist_ok=True)
        save_file(weights, out)
    else:
        save(out, Checkpoint(weights, json.loads(description.to_json())))
    typer.echo(f"wrote {out}")


def _common_description(first: Path, second: Path) -> ModelDescription | None:
    """Return what both files are weights of; raises WeightsError where they contradict."""
    ours, theirs = read_description(first.parent), read_description(second.parent)
    problems = ours.differences(theirs) if ours and theirs else []
    if problems:
        raise WeightsError(f"{first} and {second} are of different models: {'; '.join(problems)}")
    return ours or theirs
