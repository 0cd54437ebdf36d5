"""The entries of docs/errors.md as patterns; run with a file, compare it with the errors of tests.

`pytest --record-errors FILE` appends the errors that tests produce. `python errors_page.py FILE`
ends with 1 where an entry was produced by none of them, or one of them has no entry.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import attrs

TESTS = Path(__file__).parents[1]
UNPRODUCED = Path(__file__).with_name("unproduced_errors.txt")
"""Entries that need a GPU, the network, an extra's files or a long run; none may be added."""
PAGE = TESTS.parent / "docs" / "errors.md"
_LINE = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"(<[^<>]+>)")
_ANYTHING = re.compile(r"\.[*+]\??")
_TELLING = 10  # characters that are the same in every message
_FOREIGN = re.compile(
    r"^  "  # a detail of the line before
    r"|image file|data stream|decoder object|Truncated File Read|PNG file"  # Pillow's words
    r"|\(at line|at end of document|No such file|File name too long"
    # what plug-ins of the tests say
    r"|nothing there|low must not exceed high|: truncated$|torn$|^wet$|^a wolf$|^row: no "
)


@attrs.frozen(slots=False)
class Entry:
    """Hold a message of the page, with `<...>` for what varies and `<...?>` for what may lack."""

    line: str

    @cached_property
    def parts(self) -> list[str]:
        """What is the same in every message, in turn."""
        return _PLACEHOLDER.split(self.line)[::2]

    @cached_property
    def places(self) -> frozenset[int]:
        """Where in the line its own words stand."""
        varying = [match.span() for match in _PLACEHOLDER.finditer(self.line)]
        all_of = frozenset(range(len(self.line)))
        return all_of - {place for span in varying for place in range(*span)}

    @property
    def is_telling(self) -> bool:
        """Tell whether enough is the same to know a message by it."""
        return len("".join(self.parts)) >= _TELLING

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("".join(map(_as_pattern, _PLACEHOLDER.split(self.line))))

    def fits(self, line: str) -> bool:
        """Tell whether a line of an error has the entry's words in their order."""
        return all(part in line for part in self.parts) and bool(self.pattern.search(line))


def _as_pattern(part: str) -> str:
    if _PLACEHOLDER.fullmatch(part):
        return ".*?" if part.endswith("?>") else ".+?"
    return re.escape(part)


def entries() -> list[Entry]:
    return [Entry(line) for line in _LINE.findall(PAGE.read_text("utf-8"))]


def lines_of(told: Iterable[str]) -> list[str]:
    return sorted({line for each in told for line in each.split("\n") if line.strip()})


def without_an_entry(lines: Iterable[str]) -> list[str]:
    """Return the lines of errors that no telling entry fits."""
    telling = [entry for entry in entries() if entry.is_telling]
    own = (line for line in lines if not _FOREIGN.search(line))
    return [line for line in own if not any(entry.fits(line) for entry in telling)]


def not_produced(lines: Sequence[str]) -> list[str]:
    """Return the entries that fit no line of an error, and that no test expects.

    Errors of other processes, of extras that are not installed and those of Python's own kinds are
    not recorded: what a test looks for in them counts.
    """
    known, looked_for = entries(), expected()
    everything = "\n".join(looked_for)
    times = Counter(part for entry in known for part in set(entry.parts))

    def is_expected(entry: Entry) -> bool:
        own = (part for part in entry.parts if len(part) > _TELLING and times[part] == 1)
        return any(part.strip() in everything for part in own) or any(
            text in entry.line for text in looked_for
        )

    left = (entry for entry in known if not any(map(entry.fits, lines)))
    return [entry.line for entry in left if not is_expected(entry)]


def expected() -> list[str]:
    """Return texts of the tests: of patterns what stands between `.*`, without what escapes it."""
    paths = (path for path in TESTS.rglob("*.py") if not path.name.endswith(Path(__file__).name))
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    found = {node.value for node in nodes if isinstance(node, ast.Constant)}
    texts = (text for each in found if isinstance(each, str) for text in _ANYTHING.split(each))
    return sorted(text for text in map(_without_escapes, texts) if len(text) > _TELLING)


def _without_escapes(text: str) -> str:
    return re.sub(r"\\(?=\W)", "", text)


def main(file: Path) -> int:
    told = lines_of(json.loads(line)[1] for line in file.read_text("utf-8").splitlines())
    known = UNPRODUCED.read_text("utf-8").splitlines()
    missing, dead = without_an_entry(told), [e for e in not_produced(told) if e not in known]
    for title, lines in (("without an entry", missing), ("produced by no test", dead)):
        print(f"{title}: {len(lines)}", *lines, sep="\n  ")
    return int(bool(missing or dead))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
