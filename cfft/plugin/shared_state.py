"""State of the process that all code in it shares, which no plug-in may leave changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import attrs


@attrs.frozen
class _Shared:
    get: Callable[[], Any]
    set: Callable[[Any], Any]
    initial: object = None
    """Value that it has from the start, where that is the same everywhere."""


@attrs.frozen
class SharedState:
    """Remember the working directory and what torch has one of for the whole process.

    Takes microseconds, so that a step can look before and after each strategy.
    """

    values: Mapping[str, object]

    @classmethod
    def now(cls) -> SharedState:
        """Return the state as it is; of torch where it has been imported."""
        return cls({name: shared.get() for name, shared in _all_shared().items()})

    def restored(self) -> list[str]:
        """Put everything back as it was; return the names of what was changed."""
        changed = []
        for name, shared in _all_shared().items():
            before = self.values.get(name, shared.initial)
            if before is not None and shared.get() != before:
                shared.set(before)
                changed.append(name)
        return changed


def _all_shared() -> Mapping[str, _Shared]:
    torch: Any = sys.modules.get("torch")
    return _DIRECTORY if not hasattr(torch, "set_num_threads") else {**_DIRECTORY, **_of(torch)}


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return None


_DIRECTORY = {"the working directory": _Shared(_working_directory, os.chdir)}


@cache
def _of(torch: Any) -> dict[str, _Shared]:
    return {
        "torch's default dtype": _Shared(
            torch.get_default_dtype, torch.set_default_dtype, torch.float32
        ),
        "torch's gradient mode": _Shared(torch.is_grad_enabled, torch.set_grad_enabled, True),
        "torch's number of threads": _Shared(torch.get_num_threads, torch.set_num_threads),
        "torch's default device": _Shared(
            torch.get_default_device,
            lambda device: torch.set_default_device(None if device.type == "cpu" else device),
        ),
    }
