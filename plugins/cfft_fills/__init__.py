"""Built-in fills of cfft: none, single and multi."""

from __future__ import annotations

from cfft import hookimpl
from cfft_fills.none import NoFill
from cfft_fills.pictures import MultiFill, SingleFill


@hookimpl
def cfft_fills() -> list[type]:
    """Return the fills of the paper."""
    return [NoFill, SingleFill, MultiFill]
