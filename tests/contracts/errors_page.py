"""The entries of docs/errors.md as patterns; run with a file, compare it with the errors of tests.

`pytest --record-errors FILE` appends the errors that tests produce. `python errors_page.py FILE`
ends with 1 where an entry was produced by none of them, or one of them has no entry.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import attrs

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
_LINE = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"(<[^<>]+>)")
_TELLING = 10  # characters that are the same in every message
# what plug-ins of the tests say
_OF_STRANGERS = re.compile(r"nothing there|low must not exceed high")


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
    own = (line for line in lines if not _OF_STRANGERS.search(line))
    return [line for line in own if not any(entry.fits(line) for entry in telling)]


def not_produced(lines: Sequence[str]) -> list[str]:
    """Return the entries that fit no line of an error."""
    return [entry.line for entry in entries() if not any(map(entry.fits, lines))]


def main(file: Path) -> int:
    told = lines_of(json.loads(line)[1] for line in file.read_text("utf-8").splitlines())
    missing, dead = without_an_entry(told), not_produced(told)
    for title, lines in (("without an entry", missing), ("produced by no test", dead)):
        print(f"{title}: {len(lines)}", *lines, sep="\n  ")
    return int(bool(missing or dead))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
