"""What plug-in authors test their strategies with."""

from cfft.testing.conformance import check_declaration, check_strategy
from cfft.testing.models import TinySource, tiny_batch, tiny_classifier
from cfft.testing.views import FixedView

__all__ = [
    "FixedView",
    "TinySource",
    "check_declaration",
    "check_strategy",
    "tiny_batch",
    "tiny_classifier",
]
