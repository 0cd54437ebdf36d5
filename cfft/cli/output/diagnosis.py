"""What `cfft doctor` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from cfft.cli.output.consoles import listing
from cfft.errors import counted
from cfft.runtime.machine import FolderState, in_bytes

if TYPE_CHECKING:
    from cfft.training.doctor import Diagnosis, PluginState

Row = tuple[str, str]


def print_diagnosis(out: Console, found: Diagnosis) -> None:
    """Print a table of what was found, and the warnings under it."""
    table = listing("", "")
    table.show_header = False
    table.columns[0].no_wrap = True
    for row in _rows(found):
        table.add_row(*row)
    out.print(table)
    for warning in found.warnings:
        out.print(f"warning: {warning}", style="yellow", soft_wrap=True)
    if not found.problems:
        out.print("Nothing would stop a run.")


def _rows(found: Diagnosis) -> Iterator[Row]:
    yield "cfft", found.version
    yield "Python", f"{found.python} ({found.executable})"
    yield "system", found.system
    yield from _device_rows(found)
    yield "processors", f"{found.processors}; {counted(found.workers, 'decoding worker')}"
    left, total = in_bytes(found.memory.available), in_bytes(found.memory.total)
    yield "memory", f"{left} free of {total}"
    for folder in found.folders:
        yield folder.purpose, _folder(folder)
    for library in (each for each in found.libraries if not each.extra):
        yield library.name, library.found or "not installed"
    for extra in dict.fromkeys(each.extra for each in found.libraries if each.extra):
        lacking = [e.name for e in found.libraries if e.extra == extra and e.found is None]
        yield f"extra {extra}", f"lacks {', '.join(lacking)}" if lacking else "installed"
    yield from _plugin_rows(found.plugins)
    yield from found.variables.items()


def _device_rows(found: Diagnosis) -> Iterator[Row]:
    computing = found.computing
    if computing is None:
        yield "device", "unknown: torch cannot be imported"
        return
    for number, device in enumerate(computing.devices):
        left, total = in_bytes(device.free), in_bytes(device.memory)
        yield f"device {number}", f"{device.name}, {left} free of {total}"
    if not computing.devices:
        yield "device", "CPU"
    yield "precision", f"{computing.precision} (--precision auto)"
    yield "torch", f"built for {computing.build}; {counted(computing.threads, 'thread')}"


def _folder(folder: FolderState) -> str:
    free = "unknown" if folder.free is None else in_bytes(folder.free)
    stored = f"{in_bytes(folder.stored)} stored, " if folder.stored is not None else ""
    access = "can be written" if folder.problem is None else "cannot be written"
    return f"{folder.path}: {stored}{free} free, {access}"


def _plugin_rows(plugins: Sequence[PluginState]) -> Iterator[Row]:
    """Sum up the plug-ins of each distribution, and name those that cannot be used."""
    for origin in dict.fromkeys(f"{each.distribution} {each.version}" for each in plugins):
        own = [each for each in plugins if f"{each.distribution} {each.version}" == origin]
        broken = [each.name for each in own if each.error is not None]
        strategies = counted(sum(each.strategies for each in own), "strategy", "strategies")
        said = f"{counted(len(own), 'plug-in')} with {strategies}"
        yield f"from {origin}", f"{said}; broken: {', '.join(broken)}" if broken else said
