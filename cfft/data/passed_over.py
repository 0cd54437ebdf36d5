"""Entries of image folders that are no images: why they are passed over, and when to warn."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cfft.errors import counted, shortened_list

HIDDEN = "hidden"
DANGLING = "link that leads nowhere"
CIRCLE = "link to a folder above it"
LOOSE = "image outside class folders"
SPECIAL = "pipe, socket or device"
NO_SUFFIX = "no suffix"

_SYSTEM = (
    *("__MACOSX", ".AppleDouble", ".DS_Store", ".Spotlight-V100", ".Trashes", ".fseventsd"),
    *("$RECYCLE.BIN", "System Volume Information", "Thumbs.db", "ehthumbs.db", "desktop.ini"),
    *("@eaDir", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", ".@__thumb"),
    *("lost+found", "~snapshot", ".ipynb_checkpoints", "__pycache__"),
)
"""Names that macOS, Windows, Synology, QNAP, NetApp, Linux and notebooks add, in any case."""
_SYSTEM_NAMES = {name.casefold(): name for name in _SYSTEM}
_MACOS = "__MACOSX"
_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_LISTS = (".csv", ".tsv", ".txt", ".lst")
_PICTURES = frozenset(
    (
        *(".heic", ".heif", ".hif", ".jxl", ".jp2", ".j2k", ".jpx", ".svg", ".psd", ".tga"),
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".raw", ".ico"),
        *(".exr", ".hdr", ".dcm", ".dds", ".pcx", ".eps"),
    )
)
"""Suffixes of images that cfft does not read."""


def reason_of_name(name: str) -> str | None:
    """Return why an entry of this name is no image and no class, None where it may be one."""
    known = _MACOS if name.startswith(_MACOS) else _SYSTEM_NAMES.get(name.casefold())
    if known is not None:
        return f"system: {known}"
    return HIDDEN if name.startswith(".") else None


def reason_of_suffix(name: str) -> str:
    """Return the reason for a file whose suffix is none of an image."""
    return os.path.splitext(name)[1].lower() or NO_SUFFIX


def spelled(passed: Mapping[str, int]) -> str:
    """Spell counts by reason, the most frequent first: 9 .heic, 2 hidden."""
    ordered = sorted(passed.items(), key=lambda pair: (-pair[1], pair[0]))
    return shortened_list((f"{count:,} {reason}" for reason, count in ordered), most=12)


def lost_images(
    name: str, found: Mapping[str, int], passed: Mapping[str, Mapping[str, int]]
) -> Iterator[str]:
    """Yield a line for each suffix by which a set `name` seems to lose images.

    `found`: number of images by class folder. `passed`: what was passed over there, by reason.
    Image formats that cfft does not read count always, other suffixes where they outnumber the
    images of a class. Folders without images are faults, which say the same.
    """
    lost: dict[str, Counter[str]] = {}
    for folder, count in found.items():
        for suffix, others in passed.get(folder, {}).items():
            may_be_image = suffix.startswith(".") or suffix == NO_SUFFIX
            if count and may_be_image and (suffix in _PICTURES or others > count):
                lost.setdefault(suffix, Counter())[folder] = others
    for suffix, folders in lost.items():
        what = "without a suffix" if suffix == NO_SUFFIX else f"with suffix {suffix}"
        total = counted(folders.total(), f"file {what} is", f"files {what} are")
        listed = (
            f"{folder} ({others:,} beside {counted(found[folder], 'image')})"
            for folder, others in folders.most_common()
        )
        yield (
            f"set '{name}': {total} passed over in class folders "
            f"{shortened_list(listed)}; convert them if they are images"
        )


def special(mode: int) -> str | None:
    """Say in words what a `mode` of stat stands for that is no file, None for a file."""
    kind = stat.S_IFMT(mode)
    return None if kind == stat.S_IFREG else _SPECIAL.get(kind, "no regular file")


def beside_the_sets(names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield, for what lies beside the sets and is not read, what it is, its names and the reason.

    As in ("folders", "sketch, notes", "not train, val, test or ood").
    """
    listed = list(names)
    files = [name for name in listed if os.path.splitext(name)[1].lower() in _LISTS]
    folders = [name for name in listed if name not in files]
    if folders:
        yield "folders", shortened_list(folders), "not train, val, test or ood"
    if files:
        yield "files", shortened_list(files), "no lists of images"


def dangling(path: Path) -> str:
    """Say that a link leads nowhere."""
    return f"{path} is {leads_nowhere(path)}"


def leads_nowhere(path: Path) -> str:
    """Say where a link leads that leads nowhere, to go on after "is"."""
    target = os.readlink(path)
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return f"a link to {target}, which leads back to it: remove the link"
    return f"a link to {target}, which is not there: restore what it leads to, or remove the link"
