"""The end of every command: a traceback only for what users cannot fix."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from cfft.errors import CfftError, OtherProcessError, lack_of_memory
from cfft.runtime.interrupts import Terminated
from cfft.runtime.outside import shown
from cfft.runtime.processes import lost_process

_BUG = 1
_FIXABLE = 2
_INTERRUPTED = 130
_SURROUNDINGS = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR),
    *(errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EIO, errno.EFBIG),
    *(errno.ENOTEMPTY, errno.EBUSY, errno.ESTALE),  # what network storage keeps of removed files
)


class RunInterruptedError(Exception):
    """Carry what to tell a user who pressed Ctrl-C."""


@contextmanager
def reported() -> Iterator[None]:
    """End the process with 2 for a CfftError, 130 when interrupted, 1 for anything else.

    A plug-in whose code failed is named.

    SIGTERM ends it with 143 and removes temporary files, unless a loop handles it itself.
    """
    try:
        with _hearing(signal.SIGTERM, _terminate):
            yield
    except OtherProcessError:
        sys.exit(_FIXABLE)  # the process that failed has said why
    except CfftError as error:
        _end(_FIXABLE, *(f"error: {problem}" for problem in error.problems))
    except RunInterruptedError as interrupted:
        _end(_INTERRUPTED, str(interrupted))
    except KeyboardInterrupt:
        _end(_INTERRUPTED, "interrupted")
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in _SURROUNDINGS:
            place = f"{error.filename}: " if error.filename else ""
            lines = (f"{place}{error.strerror}", *getattr(error, "__notes__", ()))
            _end(_FIXABLE, *(f"error: {line}" for line in lines))
        lacking = lack_of_memory(error)
        if lacking is not None:
            _end(_FIXABLE, f"error: {_out_of_memory(lacking)}")
        lost = lost_process(error)
        if lost is not None:
            _end(_FIXABLE, f"error: {lost}")
        _end_if_named(error)
        if not isinstance(error, Exception):
            raise
        sys.stderr.write(shown(traceback.format_exc()))
        who = " or ".join(["cfft", *_others_plugins()])
        _end(_BUG, f"error: this is a bug in {who}: please report the lines above")
    finally:
        _leave_group()


def _out_of_memory(lacking: str) -> str:
    """Return what to do where memory is short outside training, which says so itself."""
    return (
        f"out of memory ({lacking}): lower --batch-size, for cfft run --micro-batch, for cfft eval "
        "--models-at-once"
    )


@contextmanager
def starting() -> Iterator[None]:
    """End the process at Ctrl-C inside the block, where modules are imported.

    A KeyboardInterrupt would surface anywhere in other people's modules, which may turn it into
    another error or lose it.
    """
    with _hearing(signal.SIGINT, _leave):
        yield


@contextmanager
def _hearing(
    number: signal.Signals, handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _leave(_number: int, _frame: FrameType | None) -> None:
    print("interrupted; nothing was started", file=sys.stderr, flush=True)
    os._exit(_INTERRUPTED)


def _leave_group() -> None:
    """Leave the other processes of a launcher, and end the threads that talk to them.

    A thread of gloo that outlives the interpreter aborts the process. They end with the last
    reference to their group, which a distributed model holds, and an error's frames hold the model.
    """
    distributed = sys.modules.get("torch.distributed")  # not there: nothing needed torch
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        _let_go(sys.exc_info()[1])
        distributed.destroy_process_group()
        gc.collect()


def _let_go(error: BaseException | None) -> None:
    """Clear the frames of an error and of all that led to it, which may be a ring."""
    reached, cleared = [error], set[int]()
    while reached:
        error = reached.pop()
        if error is not None and id(error) not in cleared:
            cleared.add(id(error))
            traceback.clear_frames(error.__traceback__)
            reached += [error.__cause__, error.__context__]


def _end_if_named(error: BaseException) -> None:
    """End the process where the code of a plug-in failed: name it and show where."""
    failures = sys.modules.get("cfft.plugin.failures")
    if failures is None:  # no plug-in was loaded, and --help need not wait for the module
        return
    failed = failures.failure_of(error)
    if failed is not None:
        print(failed.where, end="", file=sys.stderr)
        _end(_BUG, *(f"error: {line}" for line in str(failed).splitlines()))


def _others_plugins() -> list[str]:
    """Name the plug-ins besides cfft's own, which may have changed whatever failed."""
    from importlib.metadata import entry_points

    with suppress(Exception):  # one of them may have broken that, too
        found = entry_points(group="cfft")
        sources = [(point.name, point.dist) for point in found if point.dist is not None]
        names = [f"plug-in {n} ({d.name} {d.version})" for n, d in sources if d.name != "cfft"]
        return sorted(names)
    return ["a plug-in"]


def _end(code: int, *lines: str) -> None:
    print(*map(shown, lines), sep="\n", file=sys.stderr)
    sys.exit(code)
