"""Built-in merges of models after training: wise."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_merges.wise import WiseMerge


@cfft.hookimpl
def cfft_merges() -> Sequence[type[Any]]:
    """Return the merges that come with cfft."""
    return [WiseMerge]
