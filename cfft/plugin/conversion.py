"""Convert TOML values and command-line text to the types that parameters may have.

Not with cattrs: its own rules take int(2.5) and bool("no"), and every one would be replaced.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

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
    members = union_parts(annotation)
    if len(members) > 1:
        return _to_member(value, members)
    if get_origin(annotation) is Literal:
        return _to_choice(value, get_args(annotation))
    if get_origin(annotation) is tuple:
        return _to_tuple(value, get_args(annotation))
    return _CONVERSIONS[annotation](value)


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
    """Describe the values of a type in words."""
    members = [part for part in union_parts(annotation) if part is not type(None)]
    if len(members) > 1:
        return " or ".join(map(type_words, members))
    if get_origin(members[0]) is Literal:
        return "one of " + ", ".join(map(str, get_args(members[0])))
    if get_origin(members[0]) is tuple:
        first, *others = get_args(members[0])
        if first not in _PLURALS or not {first, ...}.issuperset(others):
            return type_name(members[0])
        count = "" if ... in others else f"{_COUNTS.get(len(others) + 1, len(others) + 1)} "
        return count + _PLURALS[first]
    return _WORDS.get(members[0]) or type_name(members[0])


def _to_bool(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in _TRUTH:
        return _TRUTH[value.lower()]
    if not isinstance(value, bool):
        raise ValueError("no boolean")
    return value


def _to_int(value: Any) -> int:
    if isinstance(value, (bool, float)):
        raise ValueError("no whole number")
    return int(value)


def _to_float(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        raise ValueError("no finite number")
    return number


def _to_str(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("no text")
    return value


def _to_path(value: Any) -> Path:
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        raise ValueError("no path")
    return Path(value).expanduser()


def _to_choice(value: Any, choices: Sequence[Any]) -> Any:
    for choice in choices:
        if value == choice or value == str(choice):
            return choice
    raise ValueError("no choice")


def _to_tuple(value: Any, wanted: Sequence[Any]) -> tuple[Any, ...]:
    parts = re.split("[/,]", value) if value and isinstance(value, str) else list(value)
    if len(wanted) == 2 and wanted[1] is ...:
        wanted = [wanted[0]] * len(parts)
    return tuple(convert(part, kind) for part, kind in zip(parts, wanted, strict=True))


def _to_member(value: Any, members: Sequence[Any]) -> Any:
    absent = value is None or (isinstance(value, str) and value.lower() == "none")
    if absent and type(None) in members:
        return None
    for member in members:
        with suppress(Exception):  # the next member of the union may take it
            return convert(value, member)
    raise ValueError("no member of the union takes it")


_CONVERSIONS: Mapping[Any, Callable[[Any], Any]] = {
    bool: _to_bool,
    int: _to_int,
    float: _to_float,
    str: _to_str,
    Path: _to_path,
}
