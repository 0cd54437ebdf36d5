"""The processes of a distributed run: who does what, and that they go on or end together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

import attrs

from cfft.errors import OtherProcessError

T = TypeVar("T")


@attrs.frozen
class Processes:
    """Say which of several processes this one is; without arguments, the only one.

    `index`: 0 is the main process. `join`: takes what this process found and returns what all
    found, process by process; all have to call it at the same point.
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
        """Do `action` on the main process while the others wait; return what it returns there.

        None on the others. Where it fails no process goes on, or all would wait for the main one
        for ever: the error is raised there, and OtherProcessError on the others.
        """
        result, error = _attempt(action) if self.is_main else (None, None)
        self.agree(error)
        return result

    def from_main(self, action: Callable[[], T]) -> T:
        """Do `action` as `on_main` does, and return its result on every process."""
        return cast(T, self.join([self.on_main(action)])[0])

    def guarded(self, items: Iterable[T]) -> Iterator[T]:
        """Give `items`; where making one fails, no process passes the next `agree`.

        For loops whose processes meet at times: each has to call `agree` before it meets others.
        """
        try:
            yield from items
        except Exception as error:
            self.agree(error)

    def agree(self, error: Exception | None = None) -> None:
        """Go on together, or end together where any process has an error.

        That one raises its own error, the others OtherProcessError. All have to call it at the
        same point.
        """
        failed = any(self.join([error is not None]))
        if error is not None:
            raise error
        if failed:
            raise OtherProcessError("another process could not go on and says why")


def _attempt(action: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return action(), None
    except Exception as error:
        return None, error


ALONE = Processes()
