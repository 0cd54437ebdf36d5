"""The command `cfft eval`: measure models side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import typer

from cfft.cli.errors import starting
from cfft.cli.options.options import Option, Request, settings_option, shared_options, storing
from cfft.cli.options.signature import as_command
from cfft.cli.options.spelling import SpeltCommand
from cfft.cli.options.wording import IMAGES, reworded
from cfft.cli.output.consoles import console
from cfft.cli.output.eval_tables import print_evaluation
from cfft.cli.output.live import reporter
from cfft.config.settings import Evaluation
from cfft.errors import ConfigError
from cfft.plugin.params import declaration
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import json_text

if TYPE_CHECKING:  # torch comes with it
    from cfft.evaluation.files.evaluation import EvaluationResults

_KINDS = ("suite", "backbone")
_SETTINGS = ("--model", "--pretrained", "--head", "--prompts")
_LEFT_OUT = ("--recipe", "--config")
_RECOMPUTING = ("--label-space", "--baseline", "--baseline-line", "--out", "--json")
_MEASURING, _OUTPUT = "Measuring", "Output"
_MODELS = (
    "run directories, checkpoint directories, weight files, patterns of them in quotes, or "
    "zero-shot: the pre-trained model before fine-tuning"
)
_WORDS = {
    "--model": "architecture of zero-shot and of bare weight files, such as ViT-B-32, a local "
    "config FILE.json, or BACKBONE:NAME [default that of the first run]",
    "--head": "head of zero-shot and of weight files without one: zero-shot, linear-probe, own, or "
    "auto: zero-shot where there is a text tower, else linear-probe [default that of the first "
    "run, else auto]",
    "--seed": "seed that test sets are drawn from [default each run's own, else 0]",
}
_HELP = """{summary}

For example: cfft eval zero-shot 'runs/*' --alphas 0,0.25,0.5,0.75,1

Weights from elsewhere: cfft eval FILE --model ViT-B-32 --suite NAME --data DIR

Without --suite the images are those of the first run; each run is measured on the test set of \
its own seed. A run says which model it is. A bare weight file does not: --model gives its \
architecture. zero-shot is what the runs beside it started from, or --model with --pretrained.

Parameters of a suite have a full spelling, listed below, and a short one: --data DIR goes to the \
chosen suite.

Segmentations at hand? cfft eval masks --help
"""


@attrs.define
class EvalRequest(Request):
    """Hold what a command line of `cfft eval` asks for."""

    models: list[str] = attrs.field(factory=list)
    from_predictions: bool = False


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command, with options for every suite that is installed."""
    registry = Registry.installed()
    command = as_command(eval_options(registry), partial(evaluate, registry), EvalRequest)
    app.command(
        name,
        cls=SpeltCommand,
        help=_HELP.format(summary=summary),
        context_settings={"token_normalize_func": lambda option: option.replace("_", "-")},
    )(command)


def eval_options(registry: Registry) -> list[Option]:
    """Return the options of `cfft eval` in the order of its help."""
    own = list(_own_options())
    shared = shared_options(registry, _KINDS, _SETTINGS, own)
    kept = [option for option in shared if option.spelling not in _LEFT_OUT]
    shared = reworded(registry, kept, _WORDS)
    images = [option for option in shared if option.panel == IMAGES]
    return [*images, *own, *(option for option in shared if option.panel != IMAGES)]


def evaluate(registry: Registry, request: EvalRequest) -> None:
    """Measure what is asked for, or read what was measured, and show it."""
    if not request.models:
        raise ConfigError(f"no model is given: {_MODELS}")
    _check_recomputing(request)
    settings = _settings(request)
    out: Path | None
    if request.from_predictions:
        out, results = request.out, _recomputed(request, settings)
    else:
        with _directory(request) as out:
            results = _measured(registry, request, settings, out)
    if os.environ.get("RANK", "0") == "0":
        _show(request, results, out)


def _own_options() -> Iterator[Option]:
    yield Option("MODEL", _MODELS, "", "MODEL", storing("models"), repeated=True)
    declared = declaration(Evaluation)
    for param in declared.params:
        yield settings_option(declared, param, _MEASURING)
    yield Option(
        "--from-predictions",
        "recompute tables without a model; MODEL is then what cfft eval wrote, or a finished run",
        _OUTPUT,
        "",
        storing("from_predictions"),
    )
    out = (
        "directory for evaluation.json and predictions [default a new one in evaluations/; with "
        "--from-predictions none]"
    )
    yield Option("--out", out, _OUTPUT, "DIR", storing("out", Path))
    yield Option(
        "--json", "print evaluation.json and nothing else", _OUTPUT, "", storing("as_json")
    )


def _check_recomputing(request: EvalRequest) -> None:
    """Raise ConfigError for options about measuring where nothing is measured."""
    kept = (*_RECOMPUTING, "--from-predictions", "MODEL")
    wrong = [spelling for spelling in request.given if spelling not in kept]
    if request.from_predictions and wrong:
        raise ConfigError(
            "--from-predictions measures no model and has no use for "
            f"{', '.join(wrong)}: leave that out, or measure again without --from-predictions; "
            f"allowed beside it: {', '.join(_RECOMPUTING)}"
        )


def _settings(request: EvalRequest) -> Evaluation:
    values = request.layer.settings.pop("evaluation", {})
    settings: Evaluation = declaration(Evaluation).build(values, {})
    wrong = [alpha for alpha in settings.alphas or () if not 0 <= alpha <= 1]
    if wrong:
        raise ConfigError(
            f"--alphas: {wrong[0]:g} is out of range; allowed: 0 (start) to 1 (fine-tuned)"
        )
    return settings


def _directory(request: EvalRequest) -> AbstractContextManager[Path]:
    if request.out is not None:
        return nullcontext(request.out)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("several processes need one directory: give --out DIR")
    from cfft.evaluation.files.files import reserved_evaluation  # torch comes with it

    chosen = request.layer.chosen.get("suite")
    return reserved_evaluation(chosen[0].use if chosen else "evaluation")


def _measured(
    registry: Registry, request: EvalRequest, settings: Evaluation, out: Path
) -> EvaluationResults:
    with starting():
        from cfft.evaluation.job import evaluate_models  # --help must not wait for torch

    watcher = reporter(console(), console(stderr=True), as_json=request.as_json)
    try:
        return evaluate_models(request.models, request.layer, settings, registry, out, watcher)
    finally:
        watcher.close()


def _recomputed(request: EvalRequest, settings: Evaluation) -> EvaluationResults:
    with starting():
        from cfft.evaluation.recomputed import recompute  # as above

    watcher = reporter(console(), console(stderr=True), as_json=request.as_json)
    try:
        return recompute(request.models, settings, request.out, watcher)
    finally:
        watcher.close()


def _show(request: EvalRequest, results: EvaluationResults, out: Path | None) -> None:
    if request.as_json:
        typer.echo(json_text(results))
        return
    print_evaluation(console(), results)
    if out is not None:
        console().print(f"numbers  {out / 'evaluation.json'}", soft_wrap=True)
