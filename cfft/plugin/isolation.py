"""Import foreign code so that whatever it does, the command around it goes on."""

from __future__ import annotations

import builtins
import fcntl
import json.decoder
import json.encoder
import os
import pathlib
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType, ModuleType
from typing import Any, TypeVar

from cfft.errors import PluginError, described, shortened_list
from cfft.plugin.shared_state import SharedState

T = TypeVar("T")
_WATCHED = (builtins, os, json, json.encoder, json.decoder, pathlib.PurePath, pathlib.Path)
"""Modules and classes that every command works with, and that no plug-in may change."""

_STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
_DESCRIPTORS = (0, 1, 2)
_STDOUT, _STDERR = 1, 2
_OUT_OF_REACH = 512  # of code that closes whatever it may have inherited
_LAUNCHER = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables by which a launcher of several processes tells each which one it is."""


class BrokenImportError(Exception):
    """Say in one line why foreign code cannot be used."""


def isolated(action: Callable[[], T]) -> T:
    """Return what `action` returns, after undoing what it did to the process around it.

    It prints to stderr, as stdout may have to hold JSON and nothing else. Streams, handlers of
    SIGINT and SIGTERM, the functions of modules that cfft works with and what the whole process
    shares (see SharedState) are as before; threads that it starts keep no command from ending.
    Raises BrokenImportError for any error of the action and where it changed what others use, but
    what the handler of a signal raises as it is.
    """
    heard: list[int] = []
    process = os.getpid()
    try:
        with (
            _kept_descriptors(), _kept_streams(), _kept_handlers(heard),
            _daemon_threads(), _kept_state(),
        ):  # fmt: skip
            try:
                return action()
            finally:
                if os.getpid() != process:  # it forked: one process is enough
                    os._exit(0)
    except BaseException as error:  # SystemExit and KeyboardInterrupt of the code itself too
        if heard:
            raise
        raise BrokenImportError(described(error)) from None


class _Borrowed:
    """Stand in for a stream that the borrower cannot close."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        """Leave the stream open: it is another's."""


@contextmanager
def _kept_streams() -> Iterator[None]:
    before = {name: getattr(sys, name) for name in _STREAMS}
    for name in _STREAMS:
        lent = sys.stdin if "in" in name else sys.stderr
        setattr(sys, name, None if lent is None else _Borrowed(lent))
    try:
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)


@contextmanager
def _kept_descriptors() -> Iterator[None]:
    copies: dict[int, int] = {}
    for number in _DESCRIPTORS:
        with suppress(OSError):  # it is closed
            copies[number] = _copied(number)
    if {_STDOUT, _STDERR} <= copies.keys():
        os.dup2(_STDERR, _STDOUT)
    try:
        yield
    finally:
        for number, copy in copies.items():
            os.dup2(copy, number)
            os.close(copy)


def _copied(descriptor: int) -> int:
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_REACH)
    except OSError:  # fewer are allowed
        return os.dup(descriptor)


@contextmanager
def _kept_handlers(heard: list[int]) -> Iterator[None]:
    """Note in `heard` the signals that arrive; what their handlers do is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, _noting(handler, heard))
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # it was not installed from Python
                signal.signal(number, handler)


def _noting(
    handler: Callable[[int, FrameType | None], Any], heard: list[int]
) -> Callable[[int, FrameType | None], Any]:
    def hear(number: int, frame: FrameType | None) -> Any:
        heard.append(number)
        return handler(number, frame)

    return hear


@contextmanager
def _daemon_threads() -> Iterator[None]:
    """Let the threads that are started in the block end with the process: they inherit it."""
    thread: Any = threading.current_thread()
    before, thread._daemonic = thread._daemonic, True
    try:
        yield
    finally:
        thread._daemonic = before


@contextmanager
def _kept_state() -> Iterator[None]:
    """Raise PluginError where the block changed what others use; put it back in any case."""
    watched = {owner: dict(vars(owner)) for owner in _WATCHED}
    lists: dict[str, list[Any]] = {"sys.path": [*sys.path], "sys.meta_path": [*sys.meta_path]}
    variables = {**dict.fromkeys(_LAUNCHER), **os.environ}
    shared, leave = SharedState.now(), sys.exit
    umask, depth, filters = _umask(), sys.getrecursionlimit(), [*warnings.filters]
    changed: list[str] = []
    try:
        yield
    finally:
        for owner, members in watched.items():
            changed += _restored(owner, members)
        changed += _restored_lists(lists) + _restored_variables(variables) + shared.restored()
        if _umask() != umask:
            os.umask(umask)
            changed.append("the umask")
        if sys.getrecursionlimit() < depth:
            sys.setrecursionlimit(depth)
            changed.append("the recursion limit")
        if any(each[0] == "error" and each not in filters for each in warnings.filters):
            warnings.filters = filters
            changed.append("the filters of warnings")
        if sys.exit is not leave:
            sys.exit = leave
            changed.append("sys.exit")
        if signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, 0)
            changed.append("the timer of the process")
        try:
            sys.audit("cfft.imported")
            os.close(os.open(os.devnull, os.O_RDONLY))
        except BaseException:  # nothing takes an audit hook away again
            changed.append("what may be done, by an audit hook")
    if changed:
        raise PluginError(f"it changes {shortened_list(changed)}, which others use")


def _restored_lists(lists: Mapping[str, list[Any]]) -> list[str]:
    """Put back what was removed from lists of sys; return which lack something or are others."""
    changed = []
    for name, before in lists.items():
        attribute = name.removeprefix("sys.")
        now = getattr(sys, attribute, ())
        if not isinstance(now, list) or any(entry not in now for entry in before):
            setattr(sys, attribute, before)
            changed.append(name)
    return changed


def _restored_variables(before: Mapping[str, str | None]) -> list[str]:
    """Put back variables of a launcher that differ, and any others that are gone."""
    changed = [
        name
        for name, value in before.items()
        if os.environ.get(name) != value and (name in _LAUNCHER or name not in os.environ)
    ]
    for name in changed:
        value = before[name]
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    return [f"the variable {name}" for name in changed]


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _restored(owner: ModuleType | type, members: Mapping[str, Any]) -> list[str]:
    """Give a module or class its members back; return the names of those that were replaced."""
    now = vars(owner)
    changed = [name for name, member in members.items() if now.get(name) is not member]
    for name in changed:
        setattr(owner, name, members[name])
    if isinstance(owner, ModuleType):
        sys.modules[owner.__name__] = owner
        return [f"{owner.__name__}.{name}" for name in changed]
    added = [name for name in now if name not in members]  # instead of what it inherits
    for name in added:
        delattr(owner, name)
    package = owner.__module__.partition(".")[0]
    return [f"{package}.{owner.__name__}.{name}" for name in (*changed, *added)]
