"""The command `cfft eval`: measure models side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import typer

from cfft.cli.errors import starting
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import (
    JSON,
    MEASURED,
    MEASURING,
    OUTPUT,
    Option,
    configuring,
    settings_option,
)
from cfft.cli.output.consoles import console
from cfft.cli.output.eval_tables import print_evaluation
from cfft.cli.output.live import reporting
from cfft.config.keywords import FILES
from cfft.config.settings import Evaluation
from cfft.evaluation.entry import KINDS, MODELS, planned_evaluation
from cfft.plugin.params import declaration
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import json_text

if TYPE_CHECKING:  # torch comes with it
    from cfft.evaluation.files.evaluation import EvaluationResults

_SETTINGS = ("model", "pretrained", "head", "prompts")
_WORDS = {
    **MEASURED,
    "model": "architecture of zero-shot and of bare weight files, such as ViT-B-32, a local "
    "config FILE.json, or BACKBONE:NAME [default that of the first run]",
    "head": "head of zero-shot and of weight files without one: zero-shot, linear-probe, own, or "
    "auto: zero-shot where there is a text tower, else linear-probe [default that of the first "
    "run, else auto]",
    "seed": "seed that test sets are drawn from [default each run's own, else 0]",
}
_HELP = """{summary}

For example: cfft eval zero-shot 'runs/*' --alphas 0,0.25,0.5,0.75,1

Weights from elsewhere: cfft eval FILE --model ViT-B-32 --suite NAME --data DIR

Without --suite the images are those of the first run; each run is measured on the test set of \
its own seed. A bare weight file does not say which model it is: give --model. zero-shot is the \
model that the runs beside it started from, or --model with --pretrained.

Each parameter of a suite has a full spelling, listed below once the suite is chosen, and a short \
one: --data DIR goes to the chosen suite.

To measure masks against segmentations: cfft eval masks --help
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command, with options for every suite that is installed."""
    registry = Registry.installed()
    text, action = _HELP.format(summary=summary), partial(evaluate, registry)
    add_command(app, name, eval_options(registry), action, registry, help=text)


def eval_options(registry: Registry) -> list[Option]:
    """Return the options of `cfft eval` in the order of its help."""
    options = configuring(registry, list(_own_options()), KINDS, _SETTINGS, _WORDS)
    return [option for option in options if option.keyword not in FILES]


def evaluate(
    registry: Registry,
    *,
    models: Sequence[str] = (),
    from_predictions: bool = False,
    out: str | None = None,
    as_json: bool = False,
    **keywords: Any,
) -> None:
    """Measure what is asked for, or read what was measured, and show it."""
    planned = planned_evaluation(registry, models, keywords, out, from_predictions)
    with starting():
        import cfft.evaluation.job  # noqa: F401, torch comes with it: --help must not wait for that
    with planned.directory() as place, reporting(as_json=as_json) as watcher:
        results = planned.start(place, watcher)
    if os.environ.get("RANK", "0") == "0":
        _show(results, place, as_json=as_json)


def _own_options() -> Iterator[Option]:
    yield Option("models", MODELS, "", "MODEL", repeated=True, is_argument=True)
    declared = declaration(Evaluation)
    for param in declared.params:
        yield settings_option(declared, param, MEASURING)
    stored = (
        "recompute tables from stored predictions; MODEL is then an evaluation or a finished run"
    )
    out = (
        "directory for evaluation.json and predictions [default a new one in evaluations/; with "
        "--from-predictions none]"
    )
    yield Option("from_predictions", stored, OUTPUT)
    yield Option("out", out, OUTPUT, "DIR")
    yield attrs.evolve(JSON, help="print evaluation.json and nothing else")


def _show(results: EvaluationResults, out: Path | None, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json_text(results))
        return
    print_evaluation(console(), results)
    if out is not None:
        console().print(f"numbers  {out / 'evaluation.json'}", soft_wrap=True)
