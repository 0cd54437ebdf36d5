"""The command `cfft merge`: the weight average of two models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

import attrs
import typer
from safetensors import SafetensorError
from torch import Tensor

from cfft.cli.options.command import Command
from cfft.errors import ConfigError, WeightsError
from cfft.evaluation.models.finding import ModelRef
from cfft.model.checkpoint import Checkpoint, save, write_weights
from cfft.model.description import read_model
from cfft.model.merge import average_weights, check_alpha
from cfft.model.weights import WeightFile, contradictions
from cfft.runtime.files import require_free
from cfft.runtime.json_files import as_json

_FILE = ".safetensors"
_ARGUMENT = "run directory, checkpoint directory or weight file"


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command."""
    app.command(name, cls=Command, help=f"{summary} WiSE-FT, Wortsman et al. 2022.")(merge)


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
    check_alpha(alpha)
    try:
        _write_average(a, b, out, alpha)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"no average of {a} and {b} in --out {out}: {error}") from error
    typer.echo(f"wrote {out}")


def _write_average(a: Path, b: Path, out: Path, alpha: float) -> None:
    require_free(out)
    first, second = read_model(a), read_model(b)
    known = _with_seeds(_common(first, second), (a, b))
    if out.suffix != _FILE and known.description is None:
        raise ConfigError(f"{a} does not say which model it is: give --out NAME{_FILE}")
    weights = average_weights(first.tensors, second.tensors, alpha)
    _write(out, weights, known)


def _common(first: WeightFile, second: WeightFile) -> WeightFile:
    """Return the one that says more of the model; raises WeightsError where they contradict."""
    problems = _differences(first, second)
    if problems:
        raise WeightsError(
            f"{first.path} and {second.path} are of different models: {'; '.join(problems)}"
        )
    return max(first, second, key=lambda stored: (bool(stored.description), bool(stored.identity)))


def _differences(first: WeightFile, second: WeightFile) -> list[str]:
    """Name what keeps two models from being averaged, as far as their files say it."""
    if first.description and second.description:
        return first.description.differences(second.description)
    known = first.identity and second.identity
    return contradictions(second.identity, first.identity) if known else []


def _with_seeds(known: WeightFile, paths: Sequence[Path]) -> WeightFile:
    """Let the description say every seed of both models, none where one does not say its own."""
    if known.description is None:
        return known
    found = [ModelRef(str(path), path).seeds for path in paths]
    seeds = tuple(sorted({*chain(*found)})) if all(found) else ()
    return attrs.evolve(known, description=attrs.evolve(known.description, seeds=seeds))


def _write(out: Path, weights: Mapping[str, Tensor], known: WeightFile) -> None:
    if out.suffix == _FILE or known.description is None:
        write_weights(out, weights, known.identity)
    else:
        save(out, Checkpoint(weights, as_json(known.description)))
