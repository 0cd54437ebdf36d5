"""Import foreign code so that whatever it does, the command around it goes on."""

from __future__ import annotations

import builtins
import json.decoder
import json.encoder
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType, ModuleType
from typing import Any, TypeVar

from cfft.errors import PluginError, described

T = TypeVar("T")
_WATCHED = (builtins, os, json, json.encoder, json.decoder)
"""Modules that every command works with, and that no plug-in may change."""

_STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
_DESCRIPTORS = (0, 1, 2)


class BrokenImportError(Exception):
    """Say in one line why foreign code cannot be used."""


def isolated(action: Callable[[], T]) -> T:
    """Return what `action` returns, after undoing what it did to the process around it.

    It prints to stderr, as stdout may have to hold JSON and nothing else. Streams, handlers of
    SIGINT and SIGTERM and the functions of modules that cfft works with are as before. Raises
    BrokenImportError for any error of the action and where it changed such a module, but what the
    handler of a signal raises as it is.
    """
    heard: list[int] = []
    try:
        with _kept_descriptors(), _kept_streams(), _kept_handlers(heard), _kept_modules():
            return action()
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
            copies[number] = os.dup(number)
    try:
        yield
    finally:
        for number, copy in copies.items():
            os.dup2(copy, number)
            os.close(copy)


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
def _kept_modules() -> Iterator[None]:
    before = {module: dict(vars(module)) for module in _WATCHED}
    changed: list[str] = []
    try:
        yield
    finally:
        for module, members in before.items():
            changed += _restored(module, members)
    if changed:
        raise PluginError(f"it changes {', '.join(changed)}, which others use")


def _restored(module: ModuleType, members: Mapping[str, Any]) -> list[str]:
    """Give a module its members back; return the names of those that were replaced."""
    now = vars(module)
    changed = [name for name, member in members.items() if now.get(name) is not member]
    for name in changed:
        setattr(module, name, members[name])
    sys.modules[module.__name__] = module
    return [f"{module.__name__}.{name}" for name in changed]
