"""Built-in masks: none, random, object and context."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_masks.none import NoMask
from cfft_masks.random import RandomMask
from cfft_masks.threshold import ContextMask, ObjectMask


@cfft.hookimpl
def cfft_masks() -> Sequence[type[Any]]:
    """Return the masks that come with cfft."""
    return [NoMask, RandomMask, ObjectMask, ContextMask]
