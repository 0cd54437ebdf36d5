"""Convert TOML values and command-line text to the types that parameters may have.

cattrs walks the types. The hooks here are stricter than its own, to which int(2.5) is a number and
bool("no") is true, and read the text of a command line: none, true, 1/2/3.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import cattrs

_CONVERTER = cattrs.Converter(detailed_validation=False)
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
}
_PLURALS = {int: "whole numbers", float: "numbers", str: "words", Path: "paths"}
_COUNTS = {2: "two", 3: "three", 4: "four"}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def convert(value: Any, annotation: Any) -> Any:
    """Return `value` as an instance of the type; raises an error of any kind where it is none."""
    return _CONVERTER.structure(value, annotation)


def plain(value: Any) -> Any:
    """Return a parameter's value as TOML and JSON hold it; None becomes the word none."""
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return "none" if value is None else str(value) if isinstance(value, Path) else value


def words(value: Any, between: str = "/") -> str:
    """Spell a value as the command line takes it, a series with `between` between its parts."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return between.join(map(words, value))
    return f"{value:g}" if isinstance(value, float) else str(plain(value))


def is_supported(annotation: Any) -> bool:
    """Tell whether a parameter may have this type."""
    parts = union_parts(annotation)
    if len(parts) > 1:
        return all(part is type(None) or is_supported(part) for part in parts)
    if get_origin(annotation) is tuple:
        inner = [part for part in get_args(annotation) if part is not ...]
        return bool(inner) and all(map(is_supported, inner))
    return get_origin(annotation) is Literal or annotation in _WORDS


def separator(annotation: Any) -> str:
    """Return what a series of the type is written with; both are read wherever one is."""
    return "," if any(... in get_args(part) for part in union_parts(annotation)) else "/"


def union_parts(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself."""
    union = get_origin(annotation) in (typing.Union, types.UnionType)
    return get_args(annotation) if union else (annotation,)


def type_name(annotation: Any) -> str:
    """Name a type as listings print it: `float`, `a|b` for choices, `int,...` for a series."""
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    if get_origin(annotation) is tuple:
        parts = ("..." if part is ... else type_name(part) for part in get_args(annotation))
        return separator(annotation).join(parts)
    members = [part for part in union_parts(annotation) if part is not type(None)]
    if len(members) > 1 or members != [annotation]:
        return "|".join(map(type_name, members))
    return "path" if annotation is Path else getattr(annotation, "__name__", str(annotation))


def type_words(annotation: Any) -> str:
    """Say in words what a value of the type looks like."""
    members = [part for part in union_parts(annotation) if part is not type(None)]
    if len(members) > 1:
        return " or ".join(map(type_words, members))
    if get_origin(members[0]) is Literal:
        return "one of " + ", ".join(map(str, get_args(members[0])))
    if get_origin(members[0]) is tuple:
        return _series_words(get_args(members[0])) or type_name(members[0])
    return _WORDS.get(members[0]) or type_name(members[0])


def _series_words(parts: Sequence[Any]) -> str | None:
    """Say what a tuple of one type looks like; None where its parts differ."""
    kinds = {part for part in parts if part is not ...}
    plural = _PLURALS.get(kinds.pop()) if len(kinds) == 1 else None
    if plural is None or ... in parts:
        return plural
    return f"{_COUNTS.get(len(parts), len(parts))} {plural}"


@_CONVERTER.register_structure_hook
def _to_bool(value: Any, _: Any) -> bool:
    if isinstance(value, str) and value.lower() in _TRUTH:
        return _TRUTH[value.lower()]
    if not isinstance(value, bool):
        raise ValueError("no boolean")
    return value


@_CONVERTER.register_structure_hook
def _to_int(value: Any, _: Any) -> int:
    if isinstance(value, (bool, float)):
        raise ValueError("no whole number")
    return int(value)


@_CONVERTER.register_structure_hook
def _to_float(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        raise ValueError("no finite number")
    return number


@_CONVERTER.register_structure_hook
def _to_str(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


@_CONVERTER.register_structure_hook
def _to_path(value: Any, _: Any) -> Path:
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("no path")
    return Path(value).expanduser()


def _to_literal(value: Any, annotation: Any) -> Any:
    for choice in get_args(annotation):
        if value == choice or value == str(choice):
            return choice
    raise ValueError("no choice")


def _to_tuple(value: Any, annotation: Any) -> tuple[Any, ...]:
    parts = re.split("[/,]", value) if value and isinstance(value, str) else list(value)
    wanted: Sequence[Any] = get_args(annotation)
    if len(wanted) == 2 and wanted[1] is ...:
        wanted = [wanted[0]] * len(parts)
    return tuple(convert(part, kind) for part, kind in zip(parts, wanted, strict=True))


def _to_member(value: Any, annotation: Any) -> Any:
    members = get_args(annotation)
    absent = value is None or (isinstance(value, str) and value.lower() == "none")
    if absent and type(None) in members:
        return None
    for member in members:
        try:
            return convert(value, member)
        except Exception:  # the next member of the union may take it
            continue
    raise ValueError("no member of the union takes it")


def _has_origin(origin: Any) -> Callable[[Any], bool]:
    return lambda annotation: get_origin(annotation) is origin


_CONVERTER.register_structure_hook_func(_has_origin(Literal), _to_literal)
_CONVERTER.register_structure_hook_func(_has_origin(tuple), _to_tuple)
_CONVERTER.register_structure_hook_func(lambda a: len(union_parts(a)) > 1, _to_member)
