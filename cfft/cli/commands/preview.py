"""The command `cfft preview`: a sheet of originals, maps, masks and counterfactuals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import typer

from cfft.cli.errors import starting
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import THRESHOLDS, Option, configuring
from cfft.cli.options.stacks import COUNTERFACTUAL, of_counterfactuals, run_layer, variant
from cfft.cli.output.consoles import console
from cfft.cli.output.live import reporter
from cfft.config.keywords import Keywords
from cfft.config.layers import Layer
from cfft.config.resolve import RunConfig
from cfft.errors import ConfigError
from cfft.plugin.params import Param
from cfft.plugin.registry import Registry
from cfft.runtime.files import first_free, replacing, require_free

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL = "What is drawn"
_KINDS = ("suite", *COUNTERFACTUAL, "backbone")
_SETTINGS = ("model", "pretrained", "head", "prompts", "precision", "workers")
_FORMATS = (".png", ".pdf", ".svg")
_HELP = """{summary}

For example: cfft preview --mask object --thresholds 0.3,0.6 --fill single --fill multi

Without RUN the model is the one that a run would start from, so that strategies can be chosen \
before anything is trained. Maps are of the true label, as in training.
"""


@attrs.frozen
class Drawn:
    """Hold what is drawn side by side: names of each kind, thresholds; () for the default.

    `run`: where the model is stored, None for the one that a run would start from. `keywords`: how
    that is configured besides.
    """

    run: str | None = None
    mask: Sequence[str] = ()
    fill: Sequence[str] = ()
    cam: Sequence[str] = ()
    thresholds: Sequence[str] = ()
    keywords: Mapping[str, Any] = attrs.field(factory=dict)


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command, with options for everything that is installed."""
    registry = Registry.installed()
    options = configuring(registry, list(_own_options(registry)), _KINDS, _SETTINGS)
    text = _HELP.format(summary=summary)
    add_command(app, name, options, partial(preview, registry), registry, help=text)


def preview(
    registry: Registry,
    *,
    run: str | None = None,
    mask: Sequence[str] = (),
    fill: Sequence[str] = (),
    cam: Sequence[str] = (),
    thresholds: Sequence[str] = (),
    pictures: int = 6,
    origin: str = "train",
    out: str | None = None,
    **keywords: Any,
) -> None:
    """Draw what is asked for and say where it is."""
    path = Path(out) if out is not None else first_free("preview", ".png")
    _check_out(path)
    configs = combinations(registry, Drawn(run, mask, fill, cam, thresholds, keywords))
    watcher = reporter(console(), console(stderr=True), as_json=False)
    with starting():
        from cfft.evaluation.preview import draw_preview  # torch comes with it
    try:
        model = None if run is None else Path(run)
        figure = draw_preview(configs, model, origin, pictures, registry, watcher)
    finally:
        watcher.close()
    _write(figure, path)
    typer.echo(f"wrote {path}")


def combinations(registry: Registry, drawn: Drawn) -> list[RunConfig]:
    """Return a configuration for each map, mask, threshold and fill, fills changing fastest.

    A mask without a threshold appears once whatever thresholds are given.
    """
    below = [] if drawn.run is None else [run_layer(Path(drawn.run))]
    stack = of_counterfactuals(Keywords(registry).layers(drawn.keywords, below))
    listed = _listed(registry, drawn, stack)
    return [
        variant(registry, stack, {"cam": cam, "mask": mask, "fill": fill}, listed, threshold)
        for cam in listed["cam"]
        for mask in listed["mask"]
        for threshold in _thresholds(registry, mask, drawn)
        for fill in listed["fill"]
    ]


def _own_options(registry: Registry) -> Iterator[Option]:
    run = "run or checkpoint directory, whose model and settings are taken"
    yield Option("run", run, "", "RUN", is_argument=True)
    for kind in COUNTERFACTUAL:
        words = f"{kind} to draw; may be repeated: {', '.join(registry.names(kind))}"
        yield Option(kind, words, _PANEL, "NAME", repeated=True)
    thresholds = "cut maps there, each for itself [default that of the mask]"
    yield Option("thresholds", thresholds, _PANEL, "X,...", param=THRESHOLDS)
    rows = Param("pictures", int, 6, "rows", ge=1)
    yield Option("pictures", "rows [default 6]", _PANEL, "N", param=rows)
    origin = "images to draw: train, test or a set's name [default train]"
    yield Option("origin", origin, _PANEL, "NAME", spelled="--from")
    out = f"new file, {', '.join(_FORMATS)} [default preview.png, preview-2.png ...]"
    yield Option("out", out, _PANEL, "FILE")


def _check_out(out: Path) -> None:
    require_free(out)
    if out.suffix not in _FORMATS:
        raise ConfigError(f"--out {out}: give a file that ends in {', '.join(_FORMATS)}")


def _listed(registry: Registry, drawn: Drawn, stack: Sequence[Layer]) -> dict[str, list[str]]:
    """Return the names of each kind that take turns; where none are given, the configured one."""
    given = {"mask": drawn.mask, "fill": drawn.fill, "cam": drawn.cam}
    named = {kind: list(dict.fromkeys(names)) for kind, names in given.items() if names}
    base = variant(registry, stack, {kind: names[0] for kind, names in named.items()}, named)
    chosen = {"mask": base.mask, "fill": base.fill, "cam": base.cam}
    return {
        kind: named.get(kind) or ([] if strategy is None else [strategy.name])
        for kind, strategy in chosen.items()
    }


def _thresholds(registry: Registry, mask: str, drawn: Drawn) -> Sequence[str] | Sequence[None]:
    has_one = registry.declaration("mask", mask).param("threshold") is not None
    return drawn.thresholds if has_one and drawn.thresholds else [None]


def _write(figure: Figure, out: Path) -> None:
    with replacing(out) as partial:
        figure.savefig(partial, format=out.suffix.removeprefix("."))
