"""The command `cfft preview`: a sheet of originals, maps, masks and counterfactuals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import typer

from cfft.cli.commands.run import layers
from cfft.cli.errors import starting
from cfft.cli.options.options import THRESHOLDS, Option, Request, counting, shared_options, storing
from cfft.cli.options.signature import as_command
from cfft.cli.options.spelling import SpeltCommand
from cfft.cli.options.stacks import COUNTERFACTUAL, of_counterfactuals, run_layer, variant
from cfft.cli.output.consoles import console
from cfft.cli.output.live import Quiet, reporter
from cfft.config.layers import Layer
from cfft.config.resolve import RunConfig
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry
from cfft.runtime.files import first_free, replacing, require_free

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL = "What is drawn"
_KINDS = ("suite", *COUNTERFACTUAL)
_SETTINGS = ("--model", "--pretrained", "--head", "--prompts", "--precision", "--workers")
_FORMATS = (".png", ".pdf", ".svg")
_HELP = """{summary}

For example: cfft preview --mask object --thresholds 0.3,0.6 --fill single --fill multi

Without RUN the model is the one that a run would start from, so that strategies can be chosen \
before anything is trained. Maps are of the true label, as in training.
"""


@attrs.define
class PreviewRequest(Request):
    """Hold what a command line of `cfft preview` asks for."""

    run: Path | None = None
    masks: list[str] = attrs.field(factory=list)
    fills: list[str] = attrs.field(factory=list)
    cams: list[str] = attrs.field(factory=list)
    thresholds: list[str] = attrs.field(factory=list)
    pictures: int = 6
    origin: str = "train"


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command, with options for everything that is installed."""
    registry = Registry.installed()
    own = list(_own_options(registry))
    options = [*own, *shared_options(registry, _KINDS, _SETTINGS, own)]
    command = as_command(options, partial(preview, registry), PreviewRequest)
    settings = {"token_normalize_func": lambda option: option.replace("_", "-")}
    text = _HELP.format(summary=summary)
    app.command(name, cls=SpeltCommand, help=text, context_settings=settings)(command)


def preview(registry: Registry, request: PreviewRequest) -> None:
    """Draw what is asked for and say where it is."""
    out = request.out or first_free("preview", ".png")
    _check_out(out)
    configs = combinations(registry, request)
    watcher = reporter(console(), console(stderr=True), as_json=False)
    try:
        figure = _drawn(registry, request, configs, watcher)
    finally:
        watcher.close()
    _write(figure, out)
    typer.echo(f"wrote {out}")


def combinations(registry: Registry, request: PreviewRequest) -> list[RunConfig]:
    """Return a configuration for each map, mask, threshold and fill, fills changing fastest.

    A mask without a threshold appears once whatever thresholds are given.
    """
    below = [] if request.run is None else [run_layer(request.run)]
    stack = of_counterfactuals(layers(request, below))
    listed = _listed(registry, request, stack)
    return [
        variant(registry, stack, {"cam": cam, "mask": mask, "fill": fill}, listed, threshold)
        for cam in listed["cam"]
        for mask in listed["mask"]
        for threshold in _thresholds(registry, mask, request)
        for fill in listed["fill"]
    ]


def _own_options(registry: Registry) -> Iterator[Option]:
    run = "run or checkpoint directory, whose model and settings are taken"
    yield Option("RUN", run, "", "RUN", storing("run", Path))
    for kind in COUNTERFACTUAL:
        words = f"{kind} to draw; may be repeated: {', '.join(registry.names(kind))}"
        yield Option(f"--{kind}", words, _PANEL, "NAME", storing(f"{kind}s"), repeated=True)
    thresholds = "cut maps there, each for itself [default that of the mask]"
    yield Option(
        THRESHOLDS, thresholds, _PANEL, "X,...",
        storing("thresholds", lambda text: text.split(",")),
    )  # fmt: skip
    yield Option("--pictures", "rows [default 6]", _PANEL, "N", counting("pictures"))
    origin = "images to draw: train, test or a set's name [default train]"
    yield Option("--from", origin, _PANEL, "NAME", storing("origin"))
    out = f"new file, {', '.join(_FORMATS)} [default preview.png, preview-2.png ...]"
    yield Option("--out", out, _PANEL, "FILE", storing("out", Path))


def _check_out(out: Path) -> None:
    require_free(out)
    if out.suffix not in _FORMATS:
        raise ConfigError(f"--out {out}: give a file that ends in {', '.join(_FORMATS)}")


def _listed(
    registry: Registry, request: PreviewRequest, stack: Sequence[Layer]
) -> dict[str, list[str]]:
    """Return the names of each kind that take turns; where none are given, the configured one."""
    given = {"mask": request.masks, "fill": request.fills, "cam": request.cams}
    named = {kind: list(dict.fromkeys(names)) for kind, names in given.items() if names}
    base = variant(registry, stack, {kind: names[0] for kind, names in named.items()}, named)
    chosen = {"mask": base.mask, "fill": base.fill, "cam": base.cam}
    return {
        kind: named.get(kind) or ([] if strategy is None else [strategy.name])
        for kind, strategy in chosen.items()
    }


def _thresholds(
    registry: Registry, mask: str, request: PreviewRequest
) -> Sequence[str] | Sequence[None]:
    has_one = registry.declaration("mask", mask).param("threshold") is not None
    return request.thresholds if has_one and request.thresholds else [None]


def _drawn(
    registry: Registry, request: PreviewRequest, configs: Sequence[RunConfig], watcher: Quiet
) -> Figure:
    with starting():
        from cfft.evaluation.preview import draw_preview  # torch comes with it

    return draw_preview(configs, request.run, request.origin, request.pictures, registry, watcher)


def _write(figure: Figure, out: Path) -> None:
    with replacing(out) as partial:
        figure.savefig(partial, format=out.suffix.removeprefix("."))
