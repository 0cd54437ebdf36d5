"""Output files: places that are free, and files that are replaced whole or not at all."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path

import attrs

from cfft.errors import ConfigError

LOCK, OWNER = ".cfft.lock", ".cfft.owner.json"
"""Files of a directory while a process writes to it; see cfft.runtime.locks."""

_PARTIAL = re.compile(r"\..+\.[0-9a-f]{8}\.partial")
"""Names of files that are being written, and of directories that are being filled."""

_OS_ERROR = re.compile(r"\(os error (\d+)\)")

_HOME = re.compile(r"(?:^|(?<=[:=]))~(?=/)")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def user_path(path: str | Path) -> Path:
    """Return a path as a user gave it; `~/` at its beginning is the home directory."""
    return Path(with_home(str(path)))


def with_home(text: str) -> str:
    """Replace `~/` by the home directory where a path may begin: `~/X`, `NAME=~/X`, `NAME:~/X`.

    A shell does so for the first of these alone, and no shell for files.
    """
    return _HOME.sub(lambda _: os.path.expanduser("~"), text)


def decoded(content: bytes) -> str:
    """Return text in UTF-8, with or without a byte-order mark; raises ValueError for any other.

    Its message goes on after the name of a file.
    """
    if content.startswith(_UTF_16):
        raise ValueError("is UTF-16: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: not UTF-8: save it as UTF-8") from None


def check_free(root: Path, remedy: str = "") -> None:
    """Raise ConfigError unless a directory is empty or can be made; `remedy` ends the message."""
    if root.is_dir() and not all(map(is_remains, root.iterdir())):
        raise ConfigError(f"--out {root} is not empty: give another directory{remedy}")
    check_fillable(root)


def is_remains(path: Path) -> bool:
    """Tell whether a file is no more than what a process that was killed may leave behind."""
    return path.name in (LOCK, OWNER) or is_partial(path)


def remove_partial(directory: Path) -> None:
    """Remove the files that a process that was killed was writing, in all folders beneath.

    No other process may be writing there, but for new directories that are being filled.
    """
    for path in directory.rglob(".*.partial"):
        folders = path.relative_to(directory).parts[:-1]
        if is_partial(path) and not path.is_dir() and not any(map(_PARTIAL.fullmatch, folders)):
            path.unlink(missing_ok=True)


def is_partial(path: Path) -> bool:
    """Tell by its name whether something is not complete yet."""
    return _PARTIAL.fullmatch(path.name) is not None


def check_fillable(root: Path) -> None:
    """Raise ConfigError unless files can be put into a directory, which is made where need be."""
    if root.exists() and not root.is_dir():
        raise ConfigError(f"--out {root} is a file: give a directory that can be filled")
    if root.is_symlink() and not root.exists():
        raise ConfigError(
            f"--out {root} is a link to {os.readlink(root)}, which is not there: give another "
            "directory"
        )
    real = Path(os.path.realpath(root))
    nearest = next(place for place in (root, *real.parents) if place.exists())
    if not nearest.is_dir():
        raise ConfigError(f"--out {root} cannot be made: {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"--out {root} cannot be made: {nearest} is not writable")


def require_free(out: Path | None) -> None:
    """Raise ConfigError where --out exists or lies beneath a file; None is always free."""
    if out is None:
        return
    if out.exists():
        raise ConfigError(f"--out {out} exists: give another path")
    nearest = next(place for place in out.absolute().parents if place.exists())
    if not nearest.is_dir():
        raise ConfigError(f"--out {out}: {nearest} is a file: give another path")


def numbered(stem: str) -> Iterator[str]:
    """Return `stem`, `stem`-2, `stem`-3 and so on."""
    return chain([stem], (f"{stem}-{number}" for number in count(2)))


def first_free(stem: str, ending: str = "") -> Path:
    """Return the first numbered path in the working directory that does not exist yet."""
    paths = (Path(f"{name}{ending}") for name in numbered(stem))
    return next(path for path in paths if not path.exists())


@contextmanager
def reserved(place: Path) -> Iterator[Path]:
    """Make a new directory, `place` or a numbered one beside it, that no other process takes.

    It is removed after the block where it is empty.
    """
    made = reserve(place)
    try:
        yield made
    finally:
        with suppress(OSError):  # what is not empty stays
            made.rmdir()
            made.parent.rmdir()


def reserve(place: Path) -> Path:
    """Make `place`, or the first numbered directory beside it that is free, and return it."""
    for path in map(place.with_name, numbered(place.name)):
        with suppress(FileExistsError):
            path.mkdir(parents=True)
            break
    return path


def write_text(path: Path, text: str, errors: str = "strict") -> None:
    """Replace a file by one that holds `text`, atomically.

    `errors`: as in `str.encode`. Whatever is raised, UnicodeEncodeError or other, `path` stays as
    it was and nothing lies beside it.
    """
    with replacing(path) as partial:
        partial.write_text(text, "utf-8", errors)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a file to write, which replaces `path` unless the block fails.

    It has a name of its own: several processes may write the same path, and the last one counts.
    """
    with written_beside(path) as partial:
        yield partial
        flush(partial)
        partial.replace(path)
        flush(path.parent)


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a new file beside `path`, to be put into its place; it is gone after the block."""
    made_directories(path.parent)
    partial = partial_name(path)
    try:
        with naming(path, partial):
            yield partial
    finally:
        partial.unlink(missing_ok=True)


def partial_name(path: Path) -> Path:
    """Return the name that what becomes `path` has until it is complete, another one each time."""
    import secrets  # hashlib comes with it

    return path.parent / f".{path.name}.{secrets.token_hex(4)}.partial"


@contextmanager
def naming(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Let errors of the system name `path`: a full disk does not say which file it was.

    `partial`: what is written in its stead, and gone by the time that a user reads its name. Errors
    of safetensors become what the system answered, as they have that in their message.
    """
    try:
        yield
    except OSError as error:
        told = Path(error.filename) if isinstance(error.filename, str) else None
        if told is None or (partial is not None and partial in (told, *told.parents)):
            error.filename = str(path)
        raise
    except Exception as error:
        number = _OS_ERROR.search(str(error))
        if number is None or type(error).__name__ != "SafetensorError":
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(path)) from error


def made_directories(directory: Path) -> list[Path]:
    """Make a directory and those above it where they lack; return what was made, lasting."""
    lacking = [p for p in (directory, *directory.parents) if not p.exists()][::-1]
    for path in lacking:
        path.mkdir(exist_ok=True)
        flush(path.parent)
    return lacking


@attrs.frozen
class StoredFile:
    """Say what a file has to be."""

    sha256: str
    bytes: int

    @classmethod
    def of(cls, path: Path) -> StoredFile:
        """Describe a file as it is."""
        import hashlib  # OpenSSL comes with it, which --help does without

        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(digest, path.stat().st_size)

    def describes(self, path: Path) -> bool:
        """Tell whether a file is there and as it has to be."""
        return path.is_file() and StoredFile.of(path) == self


def sibling(path: Path, suffix: str) -> Path:
    return path.parent / f"{path.name}.{suffix}"  # also where the name is empty: Path(".")


def flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
