"""Built-in suites: folders, tars and datasets of the user's own, a drawn world, published sets."""

from __future__ import annotations

from cfft import hookimpl

from .cifar10.suite import Cifar10Suite
from .domains import DomainsSuite
from .folder import FolderSuite
from .hf import HfSuite
from .imagenet.suite import ImageNetSuite
from .shapes.suite import ShapesSuite
from .webdataset import WebDatasetSuite
from .wilds import WildsSuite


@hookimpl
def cfft_suites() -> list[type[object]]:
    """Return the built-in suites."""
    own = [FolderSuite, DomainsSuite, ShapesSuite, WebDatasetSuite, HfSuite]
    return [*own, ImageNetSuite, Cifar10Suite, WildsSuite]
