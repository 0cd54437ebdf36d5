"""New output: complete or absent, and never in the place of what others made or hold."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from cfft.errors import ConfigError
from cfft.runtime.files import (
    LOCK,
    check_free,
    flush,
    is_partial,
    naming,
    numbered,
    partial_name,
    remove_partial,
    reserve,
    written_beside,
)
from cfft.runtime.locks import check_unheld, held, is_held

Told = Callable[[Path], str]


class TakenError(ConfigError):
    """Report that a place was taken while output for it was made; `kept`: where that is instead."""

    kept: Path


@contextmanager
def adding(path: Path, told: Told) -> Iterator[Path]:
    """Yield a file to write, which becomes `path` unless the block fails.

    Raises ConfigError where another process writes to its directory. Where `path` was made
    meanwhile, the new file is numbered and stays beside it, and TakenError ends with `told` of it.
    """
    check_unheld(path)
    with written_beside(path) as partial:
        yield partial
        check_unheld(path)
        flush(partial)
        made = _linked(partial, path)
        flush(path.parent)
    if made != path:
        raise _taken(path, made, told)


@contextmanager
def appearing(out: Path, told: Told) -> Iterator[Path]:
    """Yield a directory to fill, which becomes `out` at the end of the block unless that fails.

    Until then this process holds `out`. Raises ConfigError where that is not free, cannot be made,
    or where another process writes to it or around it. Where a program that asks for no lock has
    filled it meanwhile, the new directory stays beside it, and TakenError ends with `told` of it.
    Errors of the system, such as a full disk, name `out`.
    """
    check_free(out)
    check_unheld(out)
    place = Path(os.path.realpath(out))
    holder = partial_name(place)
    made = holder / place.name
    with ExitStack() as stack:
        lock = stack.enter_context(ExitStack())
        try:
            lock.enter_context(held(out))
            _remove_abandoned(place)
            check_free(out)
            stack.enter_context(held(holder))
            stack.callback(shutil.rmtree, made, ignore_errors=True)
            made.mkdir()
        except OSError as error:
            raise ConfigError(f"--out {place} cannot be made: {error.strerror}") from error
        with naming(out, holder):
            yield made
            _flush_all(made)
        lock.close()
        kept = _moved(made, out, place)
    if kept != out:
        raise _taken(out, kept, told)


def _taken(out: Path, kept: Path, told: Told) -> TakenError:
    error = TakenError(f"--out {out} was taken {told(kept)}")
    error.kept = kept
    return error


def _linked(partial: Path, path: Path) -> Path:
    """Give a complete file the name `path`, or a numbered one that is free; return which."""
    for stem in numbered(path.stem):
        free = path.with_name(f"{stem}{path.suffix}")
        with suppress(FileExistsError):
            _link(partial, free)
            break
    return free


def _link(partial: Path, free: Path) -> None:
    try:
        os.link(partial, free)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        free.touch(exist_ok=False)
        partial.replace(free)


def _moved(made: Path, out: Path, place: Path) -> Path:
    """Move a complete directory to its place, or beside it; return where."""
    try:
        check_free(out)
        made.rename(place)
    except (ConfigError, OSError):
        other = reserve(out)
        made.rename(other)
        return other
    finally:
        flush(place.parent)
    return out


def _remove_abandoned(place: Path) -> None:
    """Remove what killed processes have left beside a directory, and in it."""
    remove_partial(place)
    for path in (*place.parent.glob(".*.partial"), *place.glob(".*.partial")):
        if is_partial(path) and (path / LOCK).is_file() and not is_held(path):
            shutil.rmtree(path, ignore_errors=True)


def _flush_all(directory: Path) -> None:
    for path in (*directory.rglob("*"), directory):
        if path.is_file() or path.is_dir():
            flush(path)
