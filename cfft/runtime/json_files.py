"""Stored formats: attrs classes that cattrs writes as JSON and reads from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs import IterableValidationNote
from cattrs.gen import make_mapping_structure_fn

from cfft.errors import CfftError, DataError
from cfft.runtime.documents import read_json_file
from cfft.runtime.files import write_text

T = TypeVar("T")
SCHEMA = 1
"""Version of every stored format; it changes when a reader would have to."""
_REMEDY = "restore it from a copy, or make it again"


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
        content = read_json_file(path)
    except (OSError, ValueError) as wrong:
        said = wrong.strerror if isinstance(wrong, OSError) else wrong
        raise error(f"{path}: no {what} that cfft wrote ({said}): {_REMEDY}") from wrong
    if not isinstance(content, dict):
        raise error(f"{path}: no {what} that cfft wrote (no JSON object): {_REMEDY}")
    schema = content.get("schema", SCHEMA)
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
    except (cattrs.BaseValidationError, ValueError, TypeError, KeyError, AttributeError) as wrong:
        reasons = "; ".join(cattrs.transform_error(wrong, format_exception=_reason))
        raise error(f"{place}: not as cfft writes it ({reasons})") from wrong


def _reason(error: BaseException, kind: Any) -> str:
    # of our own, or of a validator of attrs, which begins with the key: 'top1' must be <= 1: 7.5
    said = isinstance(error, ValueError) and str(error).startswith(("got ", "'"))
    return str(error) if said else str(cattrs.v.format_exception(error, kind))


def converter(*, strict: bool) -> cattrs.Converter:
    """Return a converter that takes each value for what it is: no text for a number, nor null.

    `strict`: keys that a class does not have are refused.
    """
    made = cattrs.Converter(unstruct_collection_overrides={tuple: list}, forbid_extra_keys=strict)
    for kind, exact in _EXACT.items():
        made.register_structure_hook(kind, exact)
    made.register_structure_hook_factory(
        attrs.has, lambda cls: _only(dict, "an object", made.gen_structure_attrs_fromdict(cls))
    )
    made.register_structure_hook_factory(
        _is_mapping,
        lambda cls: _only(dict, "an object", make_mapping_structure_fn(cls, made, dict)),
    )
    made.register_structure_hook_func(
        _is_series, _only((list, tuple), "a list", partial(_series, made))
    )
    return made


def _is_mapping(kind: Any) -> bool:
    return (get_origin(kind) or kind) in (dict, Mapping)


def _is_series(kind: Any) -> bool:
    return get_origin(kind) in (tuple, list, Sequence)


def _series(made: cattrs.Converter, values: Sequence[Any], kind: Any) -> tuple[Any, ...]:
    """Make a tuple; raises IterableValidationError with the places of what does not fit."""
    kinds = get_args(kind)
    if kinds[-1] is ... or get_origin(kind) is not tuple:
        kinds = kinds[:1] * len(values)
    if len(kinds) != len(values):
        raise ValueError(f"got {len(values)} values, wanted {len(kinds)}")
    found, errors = [], []
    for place, (value, each) in enumerate(zip(values, kinds, strict=True)):
        try:
            found.append(made.structure(value, each))
        except Exception as error:
            error.add_note(IterableValidationNote(f"element @ index {place}", place, each))
            errors.append(error)
    if errors:
        raise cattrs.IterableValidationError("list", errors, kind)
    return tuple(found)


def _only(kinds: Any, wanted: str, hook: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def checked(value: Any, kind: Any) -> Any:
        if not isinstance(value, kinds):
            raise ValueError(_unlike(value, wanted))
        return hook(value, kind)

    return checked


def _whole(value: Any, _: Any) -> int:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not is_whole:
        raise ValueError(_unlike(value, "a whole number"))
    return int(value)


def _number(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(_unlike(value, "a number"))
    return float(value)


def _text(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(_unlike(value, "a text"))
    return value


def _truth(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(_unlike(value, "true or false"))
    return value


def _unlike(value: Any, wanted: str) -> str:
    return f"got {shorten(json.dumps(value, default=str), 40, placeholder='...')}, wanted {wanted}"


_EXACT = {int: _whole, float: _number, str: _text, bool: _truth}
_TOLERANT, _STRICT = converter(strict=False), converter(strict=True)
