"""Errors that a user can fix: one line each, shown without a traceback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

_MOST_LISTED = 12
_SHORTEST_WORD, _MOST_MEANT = 3, 3


class CfftError(Exception):
    """Base of all errors that a user can fix; each problem is one line that says what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)  # all that pickle keeps

    def __str__(self) -> str:
        return "\n".join(self.problems)

    @property
    def problems(self) -> tuple[str, ...]:
        """List what is wrong, each in one line; a plug-in may have joined several."""
        return tuple(line for problem in self.args for line in str(problem).split("\n"))


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
