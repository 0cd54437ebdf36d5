"""Built-in masks of cfft: none, random, object and context."""

from __future__ import annotations

from cfft import hookimpl
from cfft_masks.none import NoMask
from cfft_masks.random import RandomMask
from cfft_masks.threshold import ContextMask, ObjectMask


@hookimpl
def cfft_masks() -> list[type]:
    """Return the masks of the paper."""
    return [NoMask, RandomMask, ObjectMask, ContextMask]
