"""Stored formats: attrs classes that cattrs writes as JSON and reads from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import cattrs

from cfft.errors import CfftError, DataError
from cfft.runtime.files import write_text

T = TypeVar("T")
SCHEMA = 1
"""Version of every stored format; it changes when a reader would have to."""


def as_json(record: Any) -> Any:
    """Return an instance of attrs classes, or JSON itself, as lists, dicts, texts and numbers."""
    return _TOLERANT.unstructure(record)


def json_text(record: Any) -> str:
    """Return a record as indented JSON."""
    return json.dumps(as_json(record), indent=2)


def write_json(path: Path, record: Any) -> None:
    """Replace a file by a record, in one stroke."""
    write_text(path, json_text(record) + "\n")


def read_json(path: Path, shape: type[T], what: str, error: type[CfftError] = DataError) -> T:
    """Read a file that cfft wrote; `what`: its noun in messages.

    Raises `error` that names the file, and the keys that do not fit or the other schema.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        schema = content.get("schema", SCHEMA)
    except (OSError, ValueError, AttributeError) as wrong:
        raise error(f"{path}: no {what} that cfft wrote ({wrong})") from wrong
    if schema != SCHEMA:
        raise error(f"{path}: schema {schema}, this version of cfft reads {SCHEMA}")
    return structured(content, shape, str(path), error)


def structured(
    content: Any,
    shape: type[T],
    place: str,
    error: type[CfftError] = DataError,
    *,
    strict: bool = False,
) -> T:
    """Make a record of JSON; raises `error` saying which keys of `place` do not fit.

    Keys that `shape` does not have are passed over, unless `strict`.
    """
    try:
        return (_STRICT if strict else _TOLERANT).structure(content, shape)
    except (cattrs.BaseValidationError, ValueError, TypeError, KeyError) as wrong:
        reasons = "; ".join(cattrs.transform_error(wrong))
        raise error(f"{place}: not as cfft writes it ({reasons})") from wrong


_TOLERANT = cattrs.Converter(unstruct_collection_overrides={tuple: list})
_STRICT = _TOLERANT.copy(forbid_extra_keys=True)
