"""The kit for plug-in authors, and the parity check.

`check_strategy` holds a strategy against the rules of its kind on a tiny model; `parity` recomputes
reference vectors of the method. It may not know any built-in strategy.
"""

from cfft.testing.conformance import check_declaration, check_strategy
from cfft.testing.models import (
    FixedView,
    TinySource,
    tiny_batch,
    tiny_classifier,
    tiny_text_side,
)

__all__ = [
    "FixedView",
    "TinySource",
    "check_declaration",
    "check_strategy",
    "tiny_batch",
    "tiny_classifier",
    "tiny_text_side",
]
