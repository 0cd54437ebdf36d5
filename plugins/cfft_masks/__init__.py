"""Built-in masks: none, all, random, object and context."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_masks.all import AllMask
from cfft_masks.cut import ContextMask, ObjectMask
from cfft_masks.none import NoMask
from cfft_masks.random import RandomMask


@cfft.hookimpl
def cfft_masks() -> Sequence[type[Any]]:
    """Return the masks that come with cfft."""
    return [NoMask, AllMask, RandomMask, ObjectMask, ContextMask]
