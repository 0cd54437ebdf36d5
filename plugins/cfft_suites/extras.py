"""Functions shared by the suites that need an optional package."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from cfft import ConfigError, DataError, read_text_file

from .parts import PARTS


def extra_module(suite: str, module: str, requires: Mapping[str, str]) -> Any:
    """Import `module`, or one inside it; raises ConfigError that says how to install it."""
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"suite '{suite}' needs the package {package}: pip install '{requires[package]}' "
            f"({error})"
        ) from error


def named_sources(suite: str, text: str) -> dict[str, str]:
    """Read `NAME=SOURCE; NAME=SOURCE`; raises ConfigError for anything else."""
    pairs = [part.strip().partition("=") for part in text.split(";") if part.strip()]
    sources = {name.strip(): source.strip() for name, _, source in pairs}
    if len(sources) < len(pairs) or not all([*sources, *sources.values()]):
        raise ConfigError(
            f"suite.{suite}.ood: got '{text}'; write NAME=SOURCE, several with ; between, each "
            "with a different name"
        )
    taken = sorted(sources.keys() & set(PARTS))
    if taken:
        raise ConfigError(
            f"suite.{suite}.ood: '{taken[0]}' is an in-distribution part; choose another name"
        )
    return sources


def read_class_names(path: Path) -> tuple[str, ...]:
    """Read one class name per line, in the order of the labels; raises DataError."""
    try:
        lines = read_text_file(path).splitlines()
    except (OSError, ValueError) as error:  # ValueError: no UTF-8
        raise DataError(f"class names {path}: {error}") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) < 2:
        raise DataError(f"class names {path}: got {len(names)}, expected two or more, one per line")
    return names
