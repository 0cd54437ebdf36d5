"""Built-in fills: none, single and multi."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_fills.images import MultiFill, SingleFill
from cfft_fills.none import NoFill


@cfft.hookimpl
def cfft_fills() -> Sequence[type[Any]]:
    """Return the fills that come with cfft."""
    return [NoFill, SingleFill, MultiFill]
