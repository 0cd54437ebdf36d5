"""Built-in suites: pictures of the user's own in two layouts, and a drawn world."""

from __future__ import annotations

from cfft import hookimpl

from .domains import DomainsSuite
from .folder import FolderSuite
from .shapes.suite import ShapesSuite


@hookimpl
def cfft_suites() -> list[type[object]]:
    """Return the built-in suites."""
    return [FolderSuite, DomainsSuite, ShapesSuite]
