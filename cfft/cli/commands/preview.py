"""The command `cfft preview`: a sheet of originals, maps, masks and counterfactuals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cfft.cli.errors import starting
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import THRESHOLDS, Option, configuring
from cfft.cli.output.live import reporting
from cfft.cli.streams import say
from cfft.config.combinations import COUNTERFACTUAL, combinations
from cfft.errors import ConfigError
from cfft.plugin.params import Param
from cfft.plugin.registry import Registry
from cfft.runtime.files import first_free, require_free
from cfft.runtime.locks import check_unheld
from cfft.runtime.outputs import TakenError, adding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL = "Drawing"
_KINDS = ("suite", *COUNTERFACTUAL, "backbone")
_SETTINGS = ("model", "pretrained", "head", "prompts", "augment", "precision", "workers")
_WORDS = {"suite": "images to draw: {suites}", "precision": "", "workers": "", "augment": ""}
_FORMATS = (".png", ".pdf", ".svg")
_HELP = """{summary}

For example: cfft preview --mask object --thresholds 0.3,0.6 --fill single --fill multi

Without RUN the model is the one that a run would start from, so that strategies can be chosen \
before anything is trained. Maps are of the true label, as in training.
"""


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the command, with options for everything that is installed."""
    registry = Registry.installed()
    options = configuring(registry, list(_own_options(registry)), _KINDS, _SETTINGS, _WORDS)
    text = _HELP.format(summary=summary)
    add_command(app, name, options, partial(preview, registry), registry, help=text)


def preview(
    registry: Registry,
    *,
    run: str | None = None,
    thresholds: Sequence[str] = (),
    pictures: int = 6,
    origin: str = "train",
    out: str | None = None,
    **keywords: Any,
) -> None:
    """Draw what is asked for and say where it is."""
    path = Path(out) if out is not None else _free()
    _check_out(path)
    names = {kind: keywords.pop(kind, ()) for kind in COUNTERFACTUAL}
    with starting():
        from cfft.evaluation.models.finding import ModelRef  # torch comes with it
        from cfft.evaluation.preview import draw_preview
    model = None if run is None else Path(run)
    layer = None if model is None else ModelRef(str(model), model).layer
    configs = combinations(registry, keywords, names, thresholds, [layer] if layer else [])
    with reporting(as_json=False) as watcher:
        figure = draw_preview(configs, model, origin, pictures, registry, watcher)
    say(f"wrote {_stored(figure, path, is_named=out is not None)}")


def _own_options(registry: Registry) -> Iterator[Option]:
    run = "run or checkpoint directory to take the model and settings from"
    yield Option("run", run, "", "RUN", is_argument=True)
    for kind in COUNTERFACTUAL:
        words = f"{kind} to draw; may be repeated: {', '.join(registry.names(kind))}"
        yield Option(kind, words, _PANEL, "NAME", repeated=True)
    thresholds = "draw one mask per threshold [default that of the mask]"
    yield Option("thresholds", thresholds, _PANEL, "X,...", param=THRESHOLDS)
    rows = Param("pictures", int, 6, "rows", ge=1)
    yield Option("pictures", "rows of images [default 6]", _PANEL, "N", param=rows)
    origin = "images to draw: train, test or a set's name [default train]"
    yield Option("origin", origin, _PANEL, "NAME", spelled="--from")
    out = f"new file, {', '.join(_FORMATS)} [default preview.png, preview-2.png ...]"
    yield Option("out", out, _PANEL, "FILE")


def _stored(figure: Figure, path: Path, *, is_named: bool) -> Path:
    """Write a figure and return where; a name that no user gave is the next free one meanwhile."""
    try:
        with adding(path, "meanwhile: the sheet is in {}".format) as partial:
            figure.savefig(partial, format=path.suffix.removeprefix("."))
    except TakenError as taken:
        if is_named:
            raise
        return taken.kept
    return path


def _free() -> Path:
    return first_free("preview", ".png")


def _check_out(out: Path) -> None:
    require_free(out)
    check_unheld(out)
    if out.suffix not in _FORMATS:
        raise ConfigError(f"--out {out}: give a file that ends in {', '.join(_FORMATS)}")
