"""Built-in suites: pictures of the user's own in two layouts, a drawn world, published sets."""

from __future__ import annotations

from cfft import hookimpl

from .cifar10.suite import Cifar10Suite
from .domains import DomainsSuite
from .folder import FolderSuite
from .imagenet.suite import ImageNetSuite
from .shapes.suite import ShapesSuite


@hookimpl
def cfft_suites() -> list[type[object]]:
    """Return the built-in suites."""
    return [FolderSuite, DomainsSuite, ShapesSuite, ImageNetSuite, Cifar10Suite]
