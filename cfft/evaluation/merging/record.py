"""merge.json: what was merged, and every candidate with its validation accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from cfft.evaluation.merging.entry import FILE
from cfft.runtime.json_files import SCHEMA
from cfft.training.results import MergeResults

_RECORD = "merge.json"


@attrs.frozen(kw_only=True)
class MergeRecord(MergeResults):
    """Hold how stored models were merged; see docs/merge.md for each key.

    `suite` and `seed`: whose validation images were measured, None where none were.
    """

    schema: int = SCHEMA
    cfft: str = ""
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    start: str | None = None
    models: tuple[str, ...] = ()
    suite: Mapping[str, Any] | None = None
    seed: int | None = None
    images: int | None = None
    out: str = ""
    evaluation: str | None = None


def record_file(out: Path) -> Path:
    """Return where the record of a merge lies: in a checkpoint directory, or beside a file."""
    return out.with_suffix(f".{_RECORD}") if out.suffix == FILE else out / _RECORD
