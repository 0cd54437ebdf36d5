"""A look at everything that a run needs from its surroundings, before there is a run."""

from __future__ import annotations

import os
import platform
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from packaging.requirements import Requirement

from cfft.errors import described
from cfft.plugin.registry import Plugin, Registry, broken_line, clash_line
from cfft.runtime.caches import cache_folder
from cfft.runtime.machine import FolderState, Memory, folder_state, in_bytes, memory
from cfft.runtime.processors import default_workers, processors

if TYPE_CHECKING:
    from cfft.runtime.devices import Computing

_DISTRIBUTION = "cfft"
_NEEDED = ("torch", "torchvision", "cfft.training.run", "cfft.encoder.towers")
"""Modules that a run imports, the most telling failures first."""

_VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "HF_HUB_OFFLINE", "HF_HOME"),
    *("XDG_CACHE_HOME", "CFFT_MAX_MEGAPIXELS", "CFFT_MAX_SIDE_RATIO", "CFFT_REALDATA"),
)
_LITTLE_DISK, _LITTLE_MEMORY = 2 * 10**9, 2 * 10**9
_NVIDIA = Path("/proc/driver/nvidia/version")


@attrs.frozen
class Library:
    """Describe a package that cfft needs: `found` is None where it is not installed.

    `allowed`: the versions that cfft was written for. `extra`: the extra of cfft that it belongs
    to, empty for what every run needs.
    """

    name: str
    found: str | None
    allowed: str
    extra: str = ""

    @property
    def fits(self) -> bool:
        """Tell whether the version is one that cfft was written for."""
        wanted = Requirement(f"{self.name}{self.allowed}").specifier
        return self.found is not None and wanted.contains(self.found, prereleases=True)


@attrs.frozen
class PluginState:
    """Describe an installed plug-in: how many strategies it brings, and why it cannot be used."""

    name: str
    distribution: str
    version: str
    strategies: int
    error: str | None


@attrs.frozen(kw_only=True)
class Diagnosis:
    """Hold what cfft finds on a machine.

    `computing` is None where torch cannot be imported. `problems`: lines about what would stop a
    run without further options. `warnings`: lines about what may stop or slow one.
    """

    version: str
    python: str
    executable: str
    system: str
    libraries: tuple[Library, ...]
    computing: Computing | None
    processors: int
    workers: int
    memory: Memory
    folders: tuple[FolderState, ...]
    plugins: tuple[PluginState, ...]
    variables: Mapping[str, str]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Return the same as JSON holds it."""
        found = attrs.asdict(self, value_serializer=lambda _, __, value: _plain(value))
        for library, kept in zip(self.libraries, found["libraries"], strict=True):
            kept["fits"] = library.fits
        return found


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def diagnose(registry: Registry) -> Diagnosis:
    """Look at packages, devices, memory, folders and plug-ins; nothing is written that stays."""
    needed = _libraries()
    failures = [*_import_failures()]
    computing, said = (None, []) if any(m == "torch" for m, _ in failures) else _computing()
    folders = tuple(_folders())
    found = memory()
    return Diagnosis(
        version=version(_DISTRIBUTION),
        python=platform.python_version(),
        executable=sys.executable,
        system=platform.platform(),
        libraries=needed,
        computing=computing,
        processors=processors(),
        workers=default_workers(),
        memory=found,
        folders=folders,
        plugins=tuple(_plugin_state(registry, plugin) for plugin in registry.plugins),
        variables={name: os.environ[name] for name in _VARIABLES if name in os.environ},
        problems=(
            *_missing(needed),
            *(line for _, line in failures),
            *_unwritable(folders),
            *map(broken_line, (p for p in registry.broken if p.distribution == _DISTRIBUTION)),
        ),
        warnings=(
            *_misfits(needed),
            *said,
            *_unused_gpu(computing),
            *_little(found, folders),
            *map(broken_line, (p for p in registry.broken if p.distribution != _DISTRIBUTION)),
            *(clash_line(*name, plugins) for name, plugins in registry.clashes().items()),
        ),
    )


def _libraries() -> tuple[Library, ...]:
    return tuple(_library(Requirement(line)) for line in requires(_DISTRIBUTION) or ())


def _library(wanted: Requirement) -> Library:
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        found = None
    extra = str(wanted.marker).partition('extra == "')[2].rstrip('"') if wanted.marker else ""
    return Library(wanted.name, found, str(wanted.specifier), extra)


def _import_failures() -> Iterator[tuple[str, str]]:
    """Yield what cannot be imported, up to the first: the others fail of the same."""
    for module in _NEEDED:
        try:
            import_module(module)
        except Exception as error:  # shared libraries of other versions raise anything
            yield module, f"{module} cannot be imported: {described(error)}: install it anew"
            return


def _computing() -> tuple[Computing, list[str]]:
    """Return what torch finds, and what it warns of meanwhile, such as a driver that is too old."""
    from cfft.runtime.devices import computing

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = computing()
    return found, [" ".join(str(warning.message).split()) for warning in caught]


def _folders() -> Iterator[FolderState]:
    from huggingface_hub import constants

    yield folder_state("working directory, for runs/", Path.cwd())
    yield folder_state("cfft's cache", cache_folder(), counted=True)
    hub = Path(constants.HF_HUB_CACHE)
    yield folder_state("cache of the Hugging Face hub", hub, counted=True)


def _plugin_state(registry: Registry, plugin: Plugin) -> PluginState:
    count = sum(provided.plugin is plugin for provided in registry.provided)
    names = plugin.name, plugin.distribution, plugin.version
    return PluginState(*names, strategies=count, error=plugin.error)


def _missing(libraries: Sequence[Library]) -> Iterator[str]:
    for library in libraries:
        if library.found is None and not library.extra:
            yield (
                f"{library.name} is not installed, and cfft needs it: "
                f"pip install '{library.name}{library.allowed}'"
            )


def _misfits(libraries: Sequence[Library]) -> Iterator[str]:
    for library in libraries:
        if library.found is not None and not library.fits:
            yield (
                f"{library.name} is {library.found}, and cfft was written for {library.allowed}: "
                f"pip install '{library.name}{library.allowed}'"
            )


def _unwritable(folders: Sequence[FolderState]) -> Iterator[str]:
    remedies = ("give --out DIR elsewhere, or change to another directory", "set XDG_CACHE_HOME")
    for folder, remedy in zip(folders, remedies, strict=False):
        if folder.problem is not None:
            yield f"{folder.purpose}: nothing can be written ({folder.problem}): {remedy}"


def _unused_gpu(computing: Computing | None) -> Iterator[str]:
    if computing is not None and computing.kind == "cpu" and _NVIDIA.exists():
        yield (
            f"this machine has an NVIDIA driver, and torch (built for {computing.build}) sees no "
            "GPU: look at CUDA_VISIBLE_DEVICES, or install torch for your CUDA version"
        )


def _little(found: Memory, folders: Sequence[FolderState]) -> Iterator[str]:
    if found.available < _LITTLE_MEMORY:
        yield f"only {in_bytes(found.available)} of memory are free: use a small --batch-size"
    for folder in folders:
        if folder.free is not None and folder.free < _LITTLE_DISK:
            yield f"{folder.purpose}: only {in_bytes(folder.free)} are free ({folder.path})"
