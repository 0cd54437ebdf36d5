"""Damage to stored files: bytes that change, and in known formats values of other kinds."""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
import tomlkit

ODD: Sequence[Any] = (
    None,
    True,
    False,
    -1,
    0,
    1,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    2**63,
    -(2**63),
    10**30,
    "",
    "nan",
    "1",
    "object",
    "../x",
    "/",
    "a\0b",
    "\x1b[31m",
    "a\nb",
    "$x_1$",
    "\ud800",
    "n" * 5000,
    [],
    {},
    [[]],
    [None],
    [1, "a"],
    {"a": 1},
    {"": {}},
)
TOKENS = (
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n\n",
    b'"',
    b"'",
    b"[",
    b"{",
    b"}",
    b"]",
    b",",
    b"\t",
    b"{}",
    b"-",
    b"9" * 50,
    b"1e999",
    b"NaN",
    b"null",
    b"%s",
    b"..",
    b"\x1b",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xff\xff\xff\x7f",
    b"\xff" * 8,
)
ARRAYS = (
    np.zeros(0),
    np.zeros((2, 2)),
    np.array(["a", "b"]),
    np.array([b"a"]),
    np.array(7),
    np.array([np.nan, np.inf]),
    np.array([[1j]]),
    np.array([2**63], np.uint64),
    np.array([-1, 0]),
    np.array([True, False]),
    np.zeros((2, 0), np.float32),
    np.zeros((1, 2, 3), np.float16),
    np.array(["2020"], "datetime64[D]"),
    np.zeros(2, [("a", int)]),
)


def mutated(kind: str, content: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """Return `content` with one to four damages; `others`: files to take parts of."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if kind in STRUCTURED and rng.random() < 0.6:
            content = _or_same(STRUCTURED[kind], content, rng)
        else:
            content = rng.choice(BYTES)(content, rng.choice(others), rng)
    return content


def _or_same(change: Callable[[bytes, Random], bytes], content: bytes, rng: Random) -> bytes:
    try:
        return change(content, rng)
    except Exception:  # damaged before, or a value that the format cannot hold
        return _flip(content, content, rng)


def _span(content: bytes, rng: Random) -> tuple[int, int]:
    first, last = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return first, min(last, first + rng.choice((1, 2, 8, 64, 4096)))


def _flip(content: bytes, _: bytes, rng: Random) -> bytes:
    if not content:
        return b"\x80"
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def _replace(content: bytes, _: bytes, rng: Random) -> bytes:
    first, last = _span(content, rng)
    return content[:first] + rng.randbytes(last - first) + content[last:]


def _cut(content: bytes, _: bytes, rng: Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _behead(content: bytes, _: bytes, rng: Random) -> bytes:
    return content[rng.randrange(min(len(content), 64) + 1) :]


def _delete(content: bytes, _: bytes, rng: Random) -> bytes:
    first, last = _span(content, rng)
    return content[:first] + content[last:]


def _repeat(content: bytes, _: bytes, rng: Random) -> bytes:
    first, last = _span(content, rng)
    return content[:last] + content[first:last] * rng.choice((1, 2, 50)) + content[last:]


def _splice(content: bytes, other: bytes, rng: Random) -> bytes:
    first, last = _span(other, rng)
    place = rng.randrange(len(content) + 1)
    return content[:place] + other[first:last] + content[place:]


def _insert(content: bytes, _: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice(TOKENS) + content[place:]


def _of_json(content: bytes, rng: Random) -> bytes:
    return json.dumps(_exchanged(json.loads(content), rng)).encode()


def _of_a_line(content: bytes, rng: Random) -> bytes:
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    lines[place] = _of_json(lines[place], rng)
    return b"\n".join(lines)


def _of_toml(content: bytes, rng: Random) -> bytes:
    return tomlkit.dumps(_exchanged(tomllib.loads(content.decode()), rng)).encode()


def _of_words(content: bytes, rng: Random) -> bytes:
    words = content.split(b" ")
    words[rng.randrange(len(words))] = str(rng.choice(ODD)).encode("utf-8", "surrogatepass")
    return b" ".join(words)


def _of_archive(content: bytes, rng: Random) -> bytes:
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    arrays[rng.choice(list(arrays))] = rng.choice(ARRAYS)
    return _saved(lambda file: np.savez(file, **arrays))


def _of_array(content: bytes, rng: Random) -> bytes:
    return _saved(lambda file: np.save(file, rng.choice(ARRAYS)))


def _saved(save: Callable[[io.BytesIO], None]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def _exchanged(value: Any, rng: Random) -> Any:
    """Return JSON with one of its values, at any depth, exchanged, removed or called otherwise."""
    if not value or not isinstance(value, (dict, list)) or rng.random() < 0.1:
        return rng.choice((*ODD, [value], {"a": value}))
    places = list(value) if isinstance(value, dict) else range(len(value))
    place, changed, way = rng.choice(places), value.copy(), rng.random()
    if way < 0.8:
        changed[place] = _exchanged(value[place], rng)
    elif isinstance(value, dict):
        moved = changed.pop(place)
        changed.update({} if way < 0.9 else {str(rng.choice(ODD)): moved})
    else:
        changed.insert(place, changed[place] if way < 0.9 else rng.choice(ODD))
    return changed


BYTES = (_flip, _flip, _replace, _cut, _behead, _delete, _repeat, _splice, _insert)
STRUCTURED: dict[str, Callable[[bytes, Random], bytes]] = {
    "json": _of_json,
    "lines": _of_a_line,
    "toml": _of_toml,
    "text": _of_words,
    "archive": _of_archive,
    "array": _of_array,
}
