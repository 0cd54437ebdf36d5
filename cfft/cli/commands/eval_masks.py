"""The command `cfft eval masks`: coverage of objects by masks, by threshold and map."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import typer

from cfft.cli.errors import starting
from cfft.cli.options.command import CommandGroup
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import JSON, MEASURED, MEASURING, THRESHOLDS, Option, configuring
from cfft.cli.output.consoles import console
from cfft.cli.output.live import reporting
from cfft.cli.output.mask_tables import print_masks
from cfft.config.combinations import COUNTERFACTUAL, combinations, cut_masks
from cfft.config.layers import Layer, read_defaults
from cfft.errors import ConfigError
from cfft.plugin.params import Param
from cfft.plugin.registry import Registry
from cfft.runtime.files import check_fillable, write_text

if TYPE_CHECKING:
    from cfft.evaluation.models.finding import ModelRef

_THRESHOLDS = ("0.2", "0.3", "0.4", "0.5", "0.6", "0.7")
_FILE = "masks.json"
_KINDS = ("suite", "mask", "cam", "backbone")
_SETTINGS = ("model", "pretrained", "head", "prompts", "precision", "workers")
_WORDS = {
    **MEASURED,
    "model": "architecture of zero-shot, such as ViT-B-32, a local config FILE.json, or "
    "BACKBONE:NAME [default that of the first run]",
    "head": "head of zero-shot: zero-shot, linear-probe, own, or auto: zero-shot where there is "
    "a text tower, else linear-probe [default that of the first run, else auto]",
    "seed": "seed that sets are drawn from [default that of the first run, else 0]",
    "precision": "",
    "workers": "",
}
_HELP = """Measure how well masks cover objects, next to trivial masks (Table 2 of the paper).

For example: cfft eval masks runs/object --sets test --masks SEGMENTATIONS

Per threshold: the image masking rate n(M)/n(I), the object masking rate n(M & S)/n(S) and the IoU \
of the mask M and the segmentation S, averaged over images. M is made as in training: from the \
map of the true label. Undecided pixels of a segmentation are not counted.

Images and seed are those of the runs, which must agree on them, unless options say otherwise. \
Each parameter has a full spelling, listed below, and a short one: --data DIR goes to the chosen \
suite.
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command `masks` to a group called `name`."""
    registry = Registry.installed()
    own = list(_own_options(registry))
    options = configuring(registry, own, _KINDS, _SETTINGS, _WORDS)
    group = typer.Typer(cls=CommandGroup, help=summary, no_args_is_help=True)
    add_command(group, "masks", options, partial(measure, registry), registry, help=_HELP)
    app.add_typer(group, name=name)


def measure(
    registry: Registry,
    *,
    models: Sequence[str] = (),
    sets: Sequence[str] = ("test",),
    masks: str | None = None,
    mask_format: str = "binary",
    thresholds: Sequence[str] = _THRESHOLDS,
    cam: Sequence[str] = (),
    limit: int | None = None,
    batch_size: int = 32,
    out: str | None = None,
    as_json: bool = False,
    **keywords: Any,
) -> None:
    """Measure what is asked for and show it."""
    file = None if out is None else Path(out, _FILE)
    _check(models, file)
    with starting():
        from cfft.evaluation.masks.study import ObjectSource, measure_models  # torch comes with it
        from cfft.evaluation.models.finding import find_models
    found = find_models(models)
    runs = [model for model in found if model.run is not None]
    stack = partial(combinations, registry, keywords, {"cam": cam})
    configs = stack(thresholds, [*_layers(runs), *_layers(found)][:1])
    alone = {run.text: stack((), _layers([run]))[0] for run in runs}
    wanted = ObjectSource(tuple(sets), None if masks is None else Path(masks), mask_format, limit)
    places = {model.text: model.path for model in found}
    with reporting(as_json=as_json) as watcher:
        record = measure_models(configs, places, alone, wanted, batch_size, registry, watcher)
    text = json.dumps(record, indent=2)
    if as_json:
        typer.echo(text)
    else:
        print_masks(console(), record["masks"])
    if file is not None:
        write_text(file, text + "\n")


def _layers(models: Iterable[ModelRef]) -> list[Layer]:
    return [layer.without(COUNTERFACTUAL) for model in models if (layer := model.layer)]


def _check(models: Sequence[str], file: Path | None) -> None:
    """Raise ConfigError for what can be told before anything is read."""
    if not models:
        raise ConfigError("no model to measure: give RUN directories or zero-shot")
    if file is not None:
        check_fillable(file.parent)
        if file.exists():
            raise ConfigError(f"--out {file.parent}: {_FILE} exists there: give another directory")


def _own_options(registry: Registry) -> Iterator[Option]:
    models = (
        "run directories, checkpoint directories, patterns of them in quotes, or zero-shot: the "
        "model before fine-tuning"
    )
    yield Option("models", models, "", "RUN", repeated=True, is_argument=True)
    yield from _image_options()
    cuts = f"measure one mask per threshold [default {','.join(_THRESHOLDS)}]"
    yield Option("thresholds", cuts, MEASURING, "X,...", param=THRESHOLDS)
    sides = f"{', '.join(cut_masks(registry))} [default {_usual('mask')}]"
    yield Option("mask", f"which side of the map to hide: {sides}", MEASURING, "NAME")
    maps = f"{', '.join(registry.names('cam'))} [default {_usual('cam')}]"
    yield Option(
        "cam",
        f"map that masks are made of; may be repeated: {maps}",
        MEASURING,
        "NAME",
        repeated=True,
    )
    images = Param("batch_size", int, 32, "images per pass", ge=1)
    yield Option("batch_size", "images per pass [default 32]", MEASURING, "N", param=images)
    yield Option("out", f"write DIR/{_FILE}", MEASURING, "DIR")
    yield attrs.evolve(JSON, help="print the numbers as JSON and nothing else", panel=MEASURING)


def _usual(kind: str) -> str:
    return ", ".join(choice.use for choice in read_defaults().chosen[kind])


def _image_options() -> Iterator[Option]:
    sets = "train, test or a set's name; may be repeated [default test]"
    yield Option("sets", sets, MEASURING, "NAME", repeated=True)
    masks = (
        "where the objects are: a folder of PNG segmentations named like the images, or a JSON "
        "file of COCO [default those that the suite brings]"
    )
    yield Option("masks", masks, MEASURING, "PATH")
    form = (
        "binary: 0 is context and the rest object; trimap: 1 object, 2 context, 3 ignored; "
        "coco: a JSON file of instances [default binary]"
    )
    yield Option("mask_format", form, MEASURING, "NAME")
    limit = Param("limit", int, None, "images per set", ge=1)
    yield Option(
        "limit", "at most N images per set, sampled per class", MEASURING, "N", param=limit
    )
