"""Name the plug-in whose code failed: its strategy is found in the frames of the error."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from cfft.errors import (
    CfftError,
    PluginFailedError,
    StrategyResultError,
    described,
    lack_of_memory,
)
from cfft.plugin.interface import given
from cfft.plugin.kinds import KINDS
from cfft.plugin.params import Declaration, declared_of
from cfft.plugin.shared_state import SharedState

_ORIGIN = "__cfft_origin__"
_LEFT_ALONE = (CfftError, KeyboardInterrupt)
_MACHINE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR),
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE),
)


def mark(owned: type[Any] | ModuleType, origin: str) -> None:
    """Note where a strategy class or a module comes from: plug-in, distribution and version."""
    setattr(owned, _ORIGIN, origin)


def source_of(cls: type[Any]) -> str:
    """Name the plug-in that a class belongs to, by its module or a package of it, or the module."""
    parts = cls.__module__.split(".")
    for count in range(len(parts), 0, -1):
        origin = getattr(sys.modules.get(".".join(parts[:count])), _ORIGIN, None)
        if origin is not None:
            return f"plug-in {origin}"
    return f"module {cls.__module__}"


@contextmanager
def failures_named(when: Callable[[], str] = str) -> Iterator[None]:
    """Raise PluginFailedError for what the code of a strategy raises inside the block.

    `when`: goes on after "failed", such as " at step 3". Errors that users can fix, errors of the
    machine, interruptions and whatever is raised outside strategies pass.
    """
    try:
        yield
    except BaseException as error:  # SystemExit too, which would end the process without a word
        failed = failure_of(error)
        if failed is None:
            raise
        failed.when = failed.when or when()
        if failed is error:
            raise
        raise failed from error


def failure_of(error: BaseException) -> PluginFailedError | None:
    """Return what to say of an error that the code of a strategy raised, None of any other."""
    if isinstance(error, PluginFailedError):
        return error
    if not is_blamed(error):
        return None
    if isinstance(error, StrategyResultError):
        who = _name(given(error.strategy))
        return None if who is None else PluginFailedError(who, error.problem)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for number in reversed(range(len(frames))):
        who = _name(frames[number].f_locals.get("self"))
        if who is not None:
            return PluginFailedError(who, described(error), code_lines(error, number))
    return None


def hook_named(hook: str, origin: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, which implements a hook, so that it is named where it fails."""

    who = f"hook {hook}() of plug-in {origin}"

    def call(*args: Any) -> Any:
        shared = SharedState.now()
        try:
            found = function(*args)
        except BaseException as error:
            if not is_blamed(error):
                raise
            raise PluginFailedError(who, described(error), code_lines(error, 1)) from error
        finally:
            changed = shared.restored()
        if changed:
            raise PluginFailedError(who, f"it changes {', '.join(changed)}: leave it as it was")
        return found

    return call


def is_blamed(error: BaseException) -> bool:
    """Tell whether the code that raised an error is to blame: no user, no machine, no signal."""
    if isinstance(error, OSError) and error.errno in _MACHINE:
        return False
    by_signal = isinstance(error, SystemExit) and type(error) is not SystemExit
    lacks_memory = lack_of_memory(error) is not None
    return not (isinstance(error, _LEFT_ALONE) or by_signal or lacks_memory)


def code_lines(error: BaseException, first: int) -> str:
    """Spell the frames of an error from number `first` on, without its message."""
    return "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)[first:]))


def _name(strategy: object) -> str | None:
    known: Declaration | None = declared_of(strategy)
    if known is None or known.kind not in KINDS:
        return None
    origin = vars(known.cls).get(_ORIGIN)
    source = f"plug-in {origin}" if origin else source_of(known.cls)
    return f"{known.kind} '{known.name}' of {source}"
