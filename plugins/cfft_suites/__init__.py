"""Built-in suites: the user's folders, lists, tars and datasets, a drawn world, published sets."""

from __future__ import annotations

from cfft import hookimpl
from cfft_suites.cifar10.suite import Cifar10Suite
from cfft_suites.domains.suite import DomainsSuite
from cfft_suites.hf.suite import HfSuite
from cfft_suites.imagenet.suite import ImageNetSuite
from cfft_suites.lists.suite import ListsSuite
from cfft_suites.shapes.suite import ShapesSuite
from cfft_suites.webdataset.suite import WebDatasetSuite
from cfft_suites.wilds.suite import WildsSuite

from .folder import FolderSuite


@hookimpl
def cfft_suites() -> list[type[object]]:
    """Return the built-in suites."""
    own = [FolderSuite, DomainsSuite, ListsSuite, ShapesSuite, WebDatasetSuite, HfSuite]
    return [*own, ImageNetSuite, Cifar10Suite, WildsSuite]
