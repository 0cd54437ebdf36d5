"""An export from its keywords, for the command `cfft export`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from cfft.config.keywords import Keywords, spelled
from cfft.config.layers import Layer
from cfft.config.settings import Model
from cfft.errors import ConfigError
from cfft.plugin.params import Declaration, short_option
from cfft.plugin.registry import Registry
from cfft.runtime.files import check_free
from cfft.runtime.locks import check_unheld

KIND = "exporter"
SOURCE = ("model", "pretrained")
"""The settings of the model before fine-tuning, whose text tower goes along."""


@attrs.frozen(eq=False)
class PlannedExport:
    """Hold an export that is configured and checked, but not begun.

    `model`: as the user named it. `exporter`: the strategy called `name`. `source`: what options
    say of the model before fine-tuning. `push`: the repository of the Hugging Face hub that it is
    sent to, None where it stays here.
    """

    model: str
    name: str
    exporter: Any
    source: Layer
    registry: Registry
    out: Path
    push: str | None = None


def planned_export(
    registry: Registry,
    model: str,
    to: str,
    keywords: Mapping[str, Any],
    out: Path,
    push: str | None = None,
) -> PlannedExport:
    """Return the export that keywords stand for; raises ConfigError before any file is read.

    `keywords`: parameters of the exporter, in short or in full, and those in `SOURCE`.
    """
    declared = registry.declaration(KIND, to)
    source = {key: keywords[key] for key in SOURCE if key in keywords}
    values = _values(declared, {k: v for k, v in keywords.items() if k not in SOURCE})
    exporter = registry.build(KIND, to, values, {})
    layer = Keywords(registry, (), (Model,), files=False).layer(source)
    try:
        check_free(out)
        check_unheld(out)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}") from error
    return PlannedExport(model, to, exporter, layer, registry, out, push)


def _values(declared: Declaration, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return raw parameters by name; raises ConfigError for those of another exporter."""
    path, known = f"{declared.path}.", [param.name for param in declared.params]
    values = {}
    for keyword, value in keywords.items():
        name = keyword.removeprefix(path)
        if name not in known:
            others = ", ".join(map(short_option, known)) or "none of its own"
            raise ConfigError(
                f"{spelled(keyword)} is no option of {KIND} '{declared.name}', which has {others}"
            )
        values[name] = value
    return values
