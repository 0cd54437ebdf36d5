"""Tar files of a WebDataset pattern, downloaded where they have a URL."""

from __future__ import annotations

import os
import tarfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
from platformdirs import user_cache_path

from cfft import ConfigError, DataError, shortened_list
from cfft_suites.extras import extra_module

REQUIRES: Mapping[str, str] = {"webdataset": "cfft[webdataset]"}
_REMOTE = ("http", "https")
_LONGEST = 64  # characters of a URL's file name that are kept; file systems take 255


@attrs.frozen
class Shard:
    """Name a tar as the user does, and say where it lies; `remote`: it was downloaded."""

    name: str
    path: Path
    remote: bool = False


def find_shards(name: str, pattern: str, data: Path | None, cache: Path | None) -> list[Shard]:
    """Return the tars of a pattern, downloaded where they have a URL.

    Raises ConfigError for a pattern that cannot be read or means other things than files and web
    addresses, before anything is opened, and DataError for tars that are not there.
    """
    urls = [os.path.expanduser(url.removeprefix("file://")) for url in _expanded(name, pattern)]
    schemes = {url: urlsplit(url).scheme for url in urls}
    for url in (url for url, scheme in schemes.items() if scheme not in ("", *_REMOTE)):
        raise ConfigError(
            f"set '{name}': {url}: cfft does not run commands; give files, file://, http:// or https://"
        )
    local = [url for url, scheme in schemes.items() if not scheme]
    if local and data is None and not all(map(os.path.isabs, local)):
        raise ConfigError(f"set '{name}': {pattern} is not a URL: give its folder (--data DIR)")
    folder = data or Path()
    _require(name, local, folder)
    return [_remote(url, cache) if schemes[url] else Shard(url, folder / url) for url in urls]


def _expanded(name: str, pattern: str) -> list[str]:
    library = extra_module("webdataset", "webdataset.shardlists", REQUIRES)
    try:
        urls: list[str] = library.expand_urls(pattern)
    except (ValueError, AssertionError) as error:  # braces; a variable that is not set
        raise ConfigError(
            f"set '{name}': {pattern}: {error}; write braces as in train-{{000..099}}.tar"
        ) from error
    return urls


def _require(name: str, files: Sequence[str], folder: Path) -> None:
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise DataError(
            f"set '{name}': {len(missing)} of {len(files)} tars are not in {folder}: "
            f"{shortened_list(missing)}"
        )


def _remote(url: str, cache: Path | None) -> Shard:
    folder = cache or user_cache_path("cfft", appauthor=False) / "webdataset"
    library: Any = extra_module("webdataset", "webdataset.cache", REQUIRES)
    store = library.FileCache(str(folder), url_to_name=cache_name, validator=None)
    kept = (folder / cache_name(url)).is_file()
    try:
        path = Path(store.get_file(url))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot download {url} into {folder}: {error}") from error
    if not kept:
        _check_download(url, path)
    return Shard(url, path, remote=True)


def _check_download(url: str, path: Path) -> None:
    """Read a new tar's headers to its end; what is no whole tar is not kept."""
    try:
        with tarfile.open(path, "r:") as tar:
            deque(members(tar, path.stat().st_size), maxlen=0)
    except tarfile.TarError as error:
        path.unlink()
        raise DataError(f"{url} is no whole tar without compression ({error})") from error


def members(tar: tarfile.TarFile, size: int) -> Iterator[tarfile.TarInfo]:
    """Yield what is in a tar of `size` bytes; raises ReadError where its end is missing."""
    end = 0
    for member in tar:
        end = max(end, member.offset_data + member.size)  # a sparse one may claim any
        yield member
    if size < end + tarfile.BLOCKSIZE:  # tarfile takes a cut between files for the end
        raise tarfile.ReadError("its end is missing")


def cache_name(url: str) -> str:
    """Name a tar in the cache so that test/0.tar and train/0.tar are two, however long the URL."""
    file = urlsplit(url).path.rpartition("/")[2]
    return f"{sha256(url.encode()).hexdigest()[:16]}-{file[-_LONGEST:]}"
