"""docs/errors.md and the code say the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .errors_page import PAGE, UNPRODUCED, Entry, entries

ROOT = Path(__file__).parents[2]
ENTRIES = entries()
RAISED = re.compile(r"(Config|Plugin|Data|Weights|Training|Value|Interrupted|OtherProcess)Error$")
REPLACED = Path("cfft/plugin/conversion.py")  # by the parameter that converts
LEAST = 12  # characters that a message says in every case
SHORTEST = 5  # of a string, in characters, that tells something
TREES = [
    (path.relative_to(ROOT), ast.parse(path.read_text("utf-8")))
    for room in ("cfft", "plugins")
    for path in sorted((ROOT / room).rglob("*.py"))
]


def constant_parts(node: ast.AST) -> list[str]:
    """Return the texts in a string of the code that are the same in every message."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("unknown_name"):
        return [f"unknown {what} '" for what in constant_parts(node.args[0])]
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    texts = [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
    return [part for text in texts for part in text.split("{}") if part]


def strings(tree: ast.AST) -> Iterator[list[str]]:
    """Yield the parts of every string of some length; a part of an f-string is none itself."""
    nodes = list(ast.walk(tree))
    joined = (node for node in nodes if isinstance(node, ast.JoinedStr))
    inner = {id(value) for node in joined for value in node.values}
    for node in nodes:
        parts = constant_parts(node)
        if id(node) not in inner and len("".join(parts)) >= SHORTEST:
            yield parts


def raised() -> list[tuple[str, list[str]]]:
    """Return the strings that are raised as errors that users see, with their places."""
    return [
        (f"{path}:{node.lineno}", parts)
        for path, tree in TREES
        if path != REPLACED
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        if RAISED.search(ast.unparse(node.exc.func))
        for argument in node.exc.args
        for parts in strings(argument)
        if len("".join(parts)) >= LEAST
    ]


def spans(parts: list[str], line: str) -> Iterator[range]:
    """Yield where in a line the parts of a string stand, if all do and in this order."""
    if max(parts, key=len) in line:
        found = re.search(".*?".join(f"({re.escape(part)})" for part in parts), line)
        for group in range(found.re.groups if found else 0):
            yield range(*found.span(group + 1))


def test_every_error_has_an_entry() -> None:
    lines = [entry.line for entry in ENTRIES]

    without = [
        f"{place}: {' ... '.join(parts)}"
        for place, parts in raised()
        if not any(any(spans(parts, line)) for line in lines)
    ]

    assert without == []


def share_said(entry: Entry, said: list[list[str]]) -> float:
    """Return the share of an entry's own words that stand in strings of the code."""
    covered = {place for parts in said for span in spans(parts, entry.line) for place in span}
    return len(covered & entry.places) / len(entry.places)


def test_every_entry_is_a_message_of_the_code() -> None:
    said = [parts for _, tree in TREES for parts in strings(tree)]

    dead = [entry.line for entry in ENTRIES if entry.is_telling and share_said(entry, said) < 0.6]

    assert dead == []


def test_every_entry_stands_once() -> None:
    lines = [entry.line for entry in ENTRIES]

    assert sorted(lines) == sorted(set(lines))


def test_what_no_test_produces_is_an_entry() -> None:
    lines = {entry.line for entry in ENTRIES}

    assert [line for line in UNPRODUCED.read_text("utf-8").splitlines() if line not in lines] == []


def test_cause_and_mend_follow_every_group_of_messages() -> None:
    blocks = PAGE.read_text("utf-8").split("\n\n")

    alone = [
        block
        for block, following in zip(blocks, [*blocks[1:], ""], strict=True)
        if block.startswith("    ") and not re.match(r"[^\s#|]", following)
    ]

    assert alone == []
