"""Built-in suites: pictures of the user's own in two layouts."""

from __future__ import annotations

from cfft import hookimpl

from .domains import DomainsSuite
from .folder import FolderSuite


@hookimpl
def cfft_suites() -> list[type[object]]:
    """Return the built-in suites."""
    return [FolderSuite, DomainsSuite]
