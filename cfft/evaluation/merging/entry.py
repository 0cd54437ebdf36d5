"""A merge from its keywords, for the command `cfft merge`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from cfft.config.keywords import Keywords
from cfft.config.layers import Layer
from cfft.config.settings import Evaluation
from cfft.errors import ConfigError
from cfft.evaluation.merging.paths import PathPoint, merge_path
from cfft.plugin.params import declaration
from cfft.plugin.registry import Registry
from cfft.runtime.files import check_free, require_free
from cfft.runtime.locks import check_unheld

KINDS = ("suite",)
FILE = ".safetensors"
"""The suffix by which a merged model is a weight file, and not a directory."""


@attrs.frozen
class PlannedMerge:
    """Hold a merge that is configured and checked, but not begun.

    `points`: the merge, once for each value of a parameter that varies. `measured`: whether all
    models are measured on validation images, even where nothing is chosen. `evaluation`: where
    everything is measured on the suite's test sets, None where it is not.
    """

    name: str
    points: Sequence[PathPoint]
    models: Sequence[str]
    layer: Layer
    settings: Evaluation
    registry: Registry
    out: Path
    measured: bool = False
    evaluation: Path | None = None


def planned_merge(
    registry: Registry,
    name: str,
    models: Sequence[str],
    values: Mapping[str, Any],
    keywords: Mapping[str, Any],
    out: Path,
    *,
    measured: bool = False,
    evaluation: Path | None = None,
) -> PlannedMerge:
    """Return the merge that keywords stand for; raises ConfigError before any file is read.

    `values`: raw parameters of the merge, one of which may be START:STOP:STEP. `keywords`: those
    of images and measuring.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("cfft merge runs as one process: start it without a launcher")
    points = merge_path(registry, name, values)
    layer = Keywords(registry, KINDS, (Evaluation,), files=False).layer(keywords)
    settings: Evaluation = declaration(Evaluation).build(layer.settings.pop("evaluation", {}), {})
    for choice in layer.chosen.get("suite", ()):
        registry.find("suite", choice.use)
    try:
        (require_free if out.suffix == FILE else check_free)(out)
        check_unheld(out)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}") from error
    if evaluation is not None:
        check_free(evaluation)
        check_unheld(evaluation)
    return PlannedMerge(name, points, models, layer, settings, registry, out, measured, evaluation)
