"""stdout and stderr that outlive their readers and hold every text."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from cfft.errors import CfftError
from cfft.runtime.outside import shown

_ERRORS = "backslashreplace"
_NUMBERS = {"stdout": 1, "stderr": 2}
_GONE = (errno.EPIPE, errno.EIO, errno.EBADF)  # of a pipe, of a terminal, closed before the start


class _Lasting(io.RawIOBase):
    """Write to a file until that fails, and from then on nowhere."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.failure: OSError | None = None

    def write(self, content: Any, /) -> int | None:
        if self.failure is None:
            try:
                written: int | None = self.raw.write(content)
                return written
            except OSError as error:
                self.failure = error
        return len(content)

    def fileno(self) -> int:
        number: int = self.raw.fileno()
        return number

    def isatty(self) -> bool:
        return bool(self.raw.isatty())

    def writable(self) -> bool:
        return True


class _Unclosed(io.TextIOWrapper):
    """Stay open whoever closes it, such as the code of a plug-in."""

    def close(self) -> None:
        self.flush()


class Streams:
    """Hold what writes the streams; None where a program has replaced stdout."""

    def __init__(self, stdout: _Lasting | None) -> None:
        self.stdout = stdout

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Raise CfftError at a good end of the block where what it printed is lost.

        That is so on a full disk; a reader that has gone has seen enough.
        """
        end = None
        try:
            yield
        except SystemExit as ended:
            if ended.code:
                raise
            end = ended
        sys.stdout.flush()
        failure = self.stdout.failure if self.stdout is not None else None
        if failure is not None and failure.errno not in _GONE:
            raise CfftError(f"stdout: {failure.strerror}: part of what was to be printed is lost")
        if end is not None:
            raise end


@contextmanager
def lasting_streams() -> Iterator[Streams]:
    """Go on inside the block when nobody reads what is written to stdout or stderr any more.

    Characters that their encoding lacks are spelled.
    """
    before = (sys.stdout, sys.stderr)
    stdout, _ = [_made_lasting(name) for name in _NUMBERS]
    try:
        yield Streams(stdout)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def say(text: str, end: str = "\n") -> None:
    """Print a text to stdout, as a terminal may have it."""
    print(shown(text), end=end)


def _made_lasting(name: str) -> _Lasting | None:
    """Replace a stream of the process; return what writes it, None where a program replaced it."""
    stream = getattr(sys, name)
    raw = io.FileIO(_opened(_NUMBERS[name]), "w", closefd=False) if stream is None else _raw(stream)
    if raw is None:
        return None
    lasting = _Lasting(raw)
    buffer = io.BufferedWriter(lasting)
    encoding = "utf-8" if stream is None else stream.encoding
    by_line = name == "stderr" or raw.isatty()
    setattr(sys, name, _Unclosed(buffer, encoding, _ERRORS, line_buffering=by_line))
    return lasting


def _raw(stream: TextIO) -> io.FileIO | None:
    stream.flush()
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw if isinstance(raw, io.FileIO) else None


def _opened(number: int) -> int:
    """Open the null device under the number of a stream that was closed, or beside it if taken.

    Otherwise the next file that is opened would have that number, and get what libraries print.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.fstat(number)
    except OSError:
        os.dup2(null, number)
        os.close(null)
        return number
    return null
