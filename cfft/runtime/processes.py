"""Processes of a distributed run: they share the work, and go on or stop together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

import attrs

from cfft.errors import OtherProcessError

T = TypeVar("T")


@attrs.frozen
class Processes:
    """Identify one of several processes; without arguments, the only one.

    `index`: 0 is the main process. `join`: takes this process's list and returns the lists of all,
    joined in order; all have to call it at the same point.
    """

    index: int = 0
    count: int = 1
    join: Callable[[list[Any]], list[Any]] = list

    @property
    def is_main(self) -> bool:
        """Tell whether this is the process that writes files."""
        return self.index == 0

    def share(self, tasks: Sequence[T]) -> Sequence[T]:
        """Return the tasks of this process: every `count`-th one."""
        return tasks[self.index :: self.count]

    def on_main(self, action: Callable[[], T]) -> T | None:
        """Do `action` on the main process while the others wait; return its result, None on others.

        Where it fails no process goes on: the error is raised there, and OtherProcessError on the
        others, which would wait for the main one for ever.
        """
        try:
            result = action() if self.is_main else None
        except Exception as error:
            self.agree(error)
            raise
        self.agree()
        return result

    def each(self, action: Callable[[], T]) -> T:
        """Do `action` on every process; where it fails on one, none goes on, see `on_main`."""
        try:
            result = action()
        except Exception as error:
            self.agree(error)
            raise
        self.agree()
        return result

    def from_main(self, action: Callable[[], T]) -> T:
        """Do `action` as `on_main` does, and return its result on every process."""
        return cast(T, self.join([self.on_main(action)])[0])

    def guarded(self, items: Iterable[T]) -> Iterator[T]:
        """Yield `items`; where making one fails, no process passes the next `agree`.

        For loops whose processes meet at times: each has to call `agree` before it meets others.
        """
        try:
            yield from items
        except Exception as error:
            self.agree(error)

    def agree(self, error: Exception | None = None) -> None:
        """Raise `error`, or OtherProcessError where another process has one.

        All have to call it at the same point.
        """
        failed = any(self.join([error is not None]))
        if error is not None:
            raise error
        if failed:
            raise OtherProcessError("another process failed; its own message says why")


ALONE = Processes()

_LOST = re.compile(r"Connection (closed|reset) by peer( \[\S+\]:\d+)?|Broken pipe|ncclRemoteError")


def lost_process(error: BaseException | None) -> OtherProcessError | None:
    """Return what to tell a user where an error, or what led to it, is that another process ended.

    A process that fails alone leaves the others in the middle of something that all do together.
    """
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        found = _LOST.search(str(error)) if isinstance(error, RuntimeError) else None
        if found is not None:
            reason = found[0]
            return OtherProcessError(f"another process has ended, see its own message ({reason})")
        error = error.__cause__ or error.__context__
    return None
