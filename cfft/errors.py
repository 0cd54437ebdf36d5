"""Errors that a user can fix: one line each, shown without a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, TypeVar

T = TypeVar("T")
_MOST_LISTED = 12
_LONGEST = 500  # characters of a stranger's message
_LONGEST_LINE = 2000
_SHORTEST_WORD, _MOST_MEANT = 3, 3
_OUT_OF_MEMORY = "OutOfMemoryError"  # torch's, which is not imported for its name
_NO_MEMORY = ("DefaultCPUAllocator", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""Words of the plain RuntimeErrors that torch raises for lack of memory."""
_WANTED = re.compile(r"[Tt]ried to allocate ([\d.]+) (\w+)")


class CfftError(Exception):
    """Base of all errors that a user can fix; each problem is one line that says what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)  # all that pickle keeps

    def __str__(self) -> str:
        return "\n".join(self.problems)

    @property
    def problems(self) -> tuple[str, ...]:
        """List what is wrong, each in one line; a plug-in may have joined several."""
        lines = (line for problem in self.args for line in str(problem).split("\n"))
        return tuple(map(_readable, lines))


class ConfigError(CfftError):
    """Report unknown names and values out of range, before anything is loaded."""


class PluginError(CfftError):
    """Report a plug-in that cannot be used, with its distribution and version."""


class DataError(CfftError):
    """Report missing folders, unreadable images and classes that do not match."""


class WeightsError(CfftError):
    """Report weight files that are missing, unreadable or of another model."""


class TrainingError(CfftError):
    """Report a run that cannot go on, such as one with a non-finite loss."""


class OtherProcessError(CfftError):
    """End a process of a distributed run because another one failed, which tells the user why."""


class StrategyResultError(ValueError):
    """Report what a strategy returned or did against the rules of its kind."""

    def __init__(self, strategy: object, problem: str) -> None:
        super().__init__(strategy, problem)
        self.strategy, self.problem = strategy, problem

    def __str__(self) -> str:
        return self.problem


class PluginFailedError(Exception):
    """Report code of a plug-in that failed, which its user cannot fix.

    `who`: kind, name and plug-in. `when`: goes on after "failed", such as " at step 3". `advice`: a
    line on what to do. `where`: the lines of code that were run, from the plug-in's on.
    """

    def __init__(self, who: str, problem: str, where: str = "") -> None:
        super().__init__(who, problem, where)
        self.who, self.problem, self.where = who, problem, where
        self.when, self.advice = "", ""

    def __str__(self) -> str:
        line = f"{self.who} failed{self.when}: {self.problem}"
        return f"{line}\n{self.advice}" if self.advice else line


class Problems(list[str]):
    """Collect what is wrong with several things, to raise it together."""

    @contextmanager
    def noted(self, start: str = "") -> Iterator[None]:
        """Note the problems of a CfftError instead of raising it; each begins with `start`."""
        try:
            yield
        except CfftError as error:
            self += (start + line.removeprefix(start) for line in error.problems)

    def check(self) -> None:
        """Raise ConfigError with each problem once, if there are any."""
        if self:
            raise ConfigError(*dict.fromkeys(self))


def returned(strategy: object, method: str, value: T, wanted: type[Any]) -> T:
    """Return `value`, the result of a strategy's method; raises StrategyResultError for others."""
    if not isinstance(value, wanted):
        got = type(value).__name__
        problem = f"{method}() must return a {wanted.__name__}, got {got}"
        raise StrategyResultError(strategy, problem)
    return value


def lack_of_memory(error: BaseException) -> str | None:
    """Say which memory was short and how much was asked for; None for any other error.

    It is that of a device or, for MemoryError and torch's allocator, of the computer.
    """
    try:
        said = str(error)
    except BaseException:  # a stranger's error may do anything when it is printed
        return None
    of_device = type(error).__name__ == _OUT_OF_MEMORY
    if not (of_device or isinstance(error, MemoryError) or any(w in said for w in _NO_MEMORY)):
        return None
    wanted = _WANTED.search(said)
    more = f", {_spelled_size(wanted)} more asked for" if wanted else ""
    if of_device or "CUDA" in said:
        return said.partition(". ")[0].partition("\n")[0] + more
    return f"the computer's is full{more}"


def _spelled_size(wanted: re.Match[str]) -> str:
    size, unit = float(wanted[1]), wanted[2]
    return f"{size / 10**9:.3g} GB" if unit == "bytes" else f"{wanted[1]} {unit}"


_TYPE_NAME: Any = vars(type)["__name__"]


def described(error: BaseException) -> str:
    """Spell type and message of any error in one line, also where it cannot be printed."""
    name: str = _TYPE_NAME.__get__(type(error))  # whatever a metaclass makes of it
    try:
        said = " ".join(str(error).split())
    except BaseException:  # a stranger's error may do anything when it is printed
        said = "its message cannot be printed"
    if len(said) > _LONGEST:
        said = f"{said[:_LONGEST]} ..."
    return f"{name}: {said}" if said else name


def _readable(line: str) -> str:
    """Leave the middle out where a file's own content makes a line endless."""
    half = _LONGEST_LINE // 2
    return line if len(line) <= _LONGEST_LINE else f"{line[:half]} [...] {line[-half:]}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Spell a number of things: 1 image, 2,048 images; `many` where it is not `one` and s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def shortened_list(names: Iterable[object], most: int = 5, between: str = ", ") -> str:
    """Join names, of many the first `most` and how many more there are."""
    listed = list(map(str, names))
    more = len(listed) - most
    return between.join(listed[:most]) + (f" and {more:,} more" if more > 0 else "")


def unknown_name(what: str, asked: str, allowed: Iterable[str], listing: str = "allowed") -> str:
    """Say that `asked` is no `what`, with the nearest allowed spelling, or those that contain it.

    All allowed names follow, or of more than a dozen the nearest and how many others there are.
    """
    names = sorted(allowed)
    close = get_close_matches(asked, names, n=1) or _containing(asked, names)
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ";"
    many = len(names) > _MOST_LISTED
    listed = (
        shortened_list(get_close_matches(asked, names, len(names), 0)) if many else ", ".join(names)
    )
    return f"unknown {what} '{asked}'{hint} {listing}: {listed or 'none'}"


def _containing(asked: str, names: Iterable[str]) -> list[str]:
    """Return the names that contain a word of some length, unless they are many."""
    found = [name for name in names if asked in name]
    return found if len(asked) >= _SHORTEST_WORD and len(found) <= _MOST_MEANT else []
