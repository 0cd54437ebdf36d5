"""What plug-in authors test their strategies with."""

from cfft.testing.views import FixedView

__all__ = ["FixedView"]
