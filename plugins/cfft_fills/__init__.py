"""Built-in fills: none, single and multi."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_fills.none import NoFill
from cfft_fills.pictures import MultiFill, SingleFill


@cfft.hookimpl
def cfft_fills() -> Sequence[type[Any]]:
    """Return the fills that come with cfft."""
    return [NoFill, SingleFill, MultiFill]
