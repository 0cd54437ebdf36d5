"""The outcome of an export, as `cfft export --json` prints it."""

from __future__ import annotations

import attrs

from cfft.runtime.json_files import SCHEMA


@attrs.frozen
class Agreement:
    """Hold the largest differences of what was written from the model, in the program it is for.

    Both are relative to the largest value: of `features` and of `logits`.
    """

    features: float
    logits: float


@attrs.frozen(kw_only=True)
class ExportRecord:
    """Hold what was exported; see docs/export.md for each key."""

    schema: int = SCHEMA
    cfft: str
    exporter: str
    model: str
    out: str
    files: dict[str, int]
    classes: int
    difference: Agreement
    pushed: str | None = None
