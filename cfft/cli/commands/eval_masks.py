"""The command `cfft eval masks`: how well masks cover objects, by threshold and map."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import typer

from cfft.cli.errors import starting
from cfft.cli.options.command import Group
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import JSON, THRESHOLDS, Option, configuring
from cfft.cli.options.stacks import COUNTERFACTUAL, of_counterfactuals, run_layer, variant, without
from cfft.cli.options.wording import reworded
from cfft.cli.output.consoles import console
from cfft.cli.output.live import Quiet, reporter
from cfft.cli.output.mask_tables import print_masks
from cfft.config.keywords import Keywords
from cfft.config.layers import Layer, read_defaults
from cfft.config.resolve import Chosen, RunConfig
from cfft.errors import ConfigError
from cfft.plugin.params import Param
from cfft.plugin.registry import Registry
from cfft.runtime.files import check_fillable, write_text

if TYPE_CHECKING:
    from cfft.evaluation.models.finding import ModelRef

BEFORE = "zero-shot"
_PANEL = "What is measured"
_THRESHOLDS = ("0.2", "0.3", "0.4", "0.5", "0.6", "0.7")
_FILE = "masks.json"
_KINDS = ("suite", "mask", "cam", "backbone")
_SETTINGS = ("model", "pretrained", "head", "prompts", "precision", "workers")
_WORDS = {
    "model": "architecture of zero-shot, such as ViT-B-32, a local config FILE.json, or "
    "BACKBONE:NAME [default that of the first run]",
    "head": "head of zero-shot: zero-shot, linear-probe, own, or auto: zero-shot where there is "
    "a text tower, else linear-probe [default that of the first run, else auto]",
    "seed": "seed that sets are drawn from [default that of the first run, else 0]",
    "precision": "",
    "workers": "",
}
_HELP = """Measure how well masks cover objects, beside trivial masks (Table 2 of the paper).

For example: cfft eval masks runs/object --sets test --masks SEGMENTATIONS

Per threshold: the image masking rate n(M)/n(I), the object masking rate n(M & S)/n(S) and the IoU \
of the mask M and the segmentation S, averaged over images. M is made as in training: from the \
map of the true label. Pixels that a segmentation leaves undecided count nowhere.

Images and seed are those of the runs, which have to share them, unless options say otherwise. \
Parameters have a full spelling, listed below, and a short one: --data DIR goes to the chosen suite.
"""


@attrs.frozen
class MaskRequest:
    """Hold what is measured; `keywords`: how it is configured besides."""

    models: Sequence[str] = ()
    sets: Sequence[str] = ("test",)
    masks: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    mask_format: str = "binary"
    thresholds: Sequence[str] = _THRESHOLDS
    cam: Sequence[str] = ()
    limit: int | None = None
    batch_size: int = 32
    out: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    as_json: bool = False
    keywords: Mapping[str, Any] = attrs.field(factory=dict)


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command `masks` to a group called `name`."""
    registry = Registry.installed()
    own = list(_own_options(registry))
    options = reworded(registry, configuring(registry, own, _KINDS, _SETTINGS), _WORDS)
    group = typer.Typer(cls=Group, help=summary, no_args_is_help=True)
    add_command(group, "masks", options, partial(measure, registry), registry, help=_HELP)
    app.add_typer(group, name=name)


def measure(registry: Registry, **given: Any) -> None:
    """Measure what is asked for and show it."""
    own = {name: given.pop(name) for name in attrs.fields_dict(MaskRequest) if name in given}
    request = MaskRequest(**own, keywords=given)
    _check(request)
    found = _found(request)
    runs = [model.run.root for model in found if model.run is not None]
    stored = [model.path for model in found if model.path is not None]
    configs = _configs(registry, request, _layers(registry, request, (*runs, *stored)[:1]))
    alone = {str(run): _base(registry, request, _layers(registry, request, [run])) for run in runs}
    watcher = reporter(console(), console(stderr=True), as_json=request.as_json)
    try:
        record = _measured(request, found, alone, configs, registry, watcher)
    finally:
        watcher.close()
    _show(request, record)


def _own_options(registry: Registry) -> Iterator[Option]:
    models = (
        f"run directories, checkpoint directories, patterns of them in quotes, or {BEFORE}: the "
        "model before fine-tuning"
    )
    yield Option("models", models, "", "RUN", repeated=True, is_argument=True)
    yield from _image_options()
    cuts = f"cut maps there [default {','.join(_THRESHOLDS)}]"
    yield Option("thresholds", cuts, _PANEL, "X,...", param=THRESHOLDS)
    mask = f"how to cut it: {', '.join(_cut_masks(registry))} [default {_usual('mask')}]"
    yield Option("mask", mask, _PANEL, "NAME")
    maps = f"{', '.join(registry.names('cam'))} [default {_usual('cam')}]"
    yield Option("cam", f"map to cut; may be repeated: {maps}", _PANEL, "NAME", repeated=True)
    images = Param("batch_size", int, 32, "images per pass", ge=1)
    yield Option("batch_size", "images per pass [default 32]", _PANEL, "N", param=images)
    yield Option("out", f"write DIR/{_FILE}", _PANEL, "DIR")
    yield attrs.evolve(JSON, help="print figures as JSON and nothing else", panel=_PANEL)


def _usual(kind: str) -> str:
    """Return what is chosen of a kind where nobody says anything."""
    return ", ".join(choice.use for choice in read_defaults().chosen[kind])


def _image_options() -> Iterator[Option]:
    sets = "train, test or a set's name; may be repeated [default test]"
    yield Option("sets", sets, _PANEL, "NAME", repeated=True)
    masks = (
        "where the objects are: a folder of PNG segmentations named like the images, or a JSON "
        "file of COCO [default what the sets know themselves]"
    )
    yield Option("masks", masks, _PANEL, "PATH")
    form = (
        "binary: 0 is context and the rest object; trimap: 1 object, 2 context, 3 ignored; "
        "coco: a JSON file of instances [default binary]"
    )
    yield Option("mask_format", form, _PANEL, "NAME")
    limit = Param("limit", int, None, "images a set", ge=1)
    yield Option("limit", "images a set, drawn by class", _PANEL, "N", param=limit)


def _check(request: MaskRequest) -> None:
    """Raise ConfigError for what can be told before anything is read."""
    if not request.models:
        raise ConfigError(f"no model to measure: give RUN directories or {BEFORE}")
    if request.out is not None:
        _check_out(request.out)


def _check_out(out: Path) -> None:
    check_fillable(out)
    if (out / _FILE).exists():
        raise ConfigError(f"--out {out}: {_FILE} exists there: give another directory")


def _found(request: MaskRequest) -> list[ModelRef]:
    with starting():
        from cfft.evaluation.models.finding import find_models  # torch comes with it

    return find_models(request.models)


def _layers(registry: Registry, request: MaskRequest, below: Sequence[Path]) -> list[Layer]:
    """Return what a measurement is configured by: the models at `below`, options on top."""
    models = [without(run_layer(path), COUNTERFACTUAL) for path in below]
    return of_counterfactuals(Keywords(registry).layers(request.keywords, models))


def _base(registry: Registry, request: MaskRequest, stack: Sequence[Layer]) -> RunConfig:
    """Resolve what all maps and thresholds have in common."""
    first = {"cam": request.cam[0]} if request.cam else {}
    return variant(registry, stack, first, {"cam": request.cam})


def _configs(registry: Registry, request: MaskRequest, stack: Sequence[Layer]) -> list[RunConfig]:
    """Return a configuration for each map and threshold, map by map."""
    base = _base(registry, request, stack)
    mask = _with_threshold(registry, base.mask)
    cams = list(dict.fromkeys(request.cam)) or [_chosen(base.cam).name]
    listed = {"cam": cams, "mask": [mask]}
    return [
        variant(registry, stack, {"cam": cam, "mask": mask}, listed, threshold)
        for cam in cams
        for threshold in request.thresholds
    ]


def _with_threshold(registry: Registry, mask: Chosen | None) -> str:
    """Return the mask's name; raises ConfigError for one that has no threshold to vary."""
    name = _chosen(mask).name
    have = _cut_masks(registry)
    if name not in have:
        raise ConfigError(f"mask '{name}' has no threshold to vary: choose from {', '.join(have)}")
    return name


def _cut_masks(registry: Registry) -> list[str]:
    """Return the names of the masks that cut a map at a threshold."""
    return [
        provided.declaration.name
        for provided in registry.of_kind("mask")
        if provided.declaration.param("threshold") is not None
    ]


def _chosen(strategy: Chosen | None) -> Chosen:
    if strategy is None:
        raise ConfigError("no mask or map is chosen: give --mask NAME and --cam NAME")
    return strategy


def _measured(
    request: MaskRequest,
    found: Sequence[ModelRef],
    runs: Mapping[str, RunConfig],
    configs: Sequence[RunConfig],
    registry: Registry,
    watcher: Quiet,
) -> dict[str, Any]:
    from cfft.evaluation.masks.study import ObjectSource, measure_models  # torch comes with it

    objects = ObjectSource(tuple(request.sets), request.masks, request.mask_format, request.limit)
    models = {model.text: model.path for model in found}
    return measure_models(configs, models, runs, objects, request.batch_size, registry, watcher)


def _show(request: MaskRequest, record: Mapping[str, Any]) -> None:
    text = json.dumps(record, indent=2)
    if request.as_json:
        typer.echo(text)
    else:
        print_masks(console(), record["masks"])
    if request.out is not None:
        _write(request.out, text)


def _write(out: Path, text: str) -> None:
    write_text(out / _FILE, text + "\n")
