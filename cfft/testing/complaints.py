"""Run the conformance kit on installed strategies, as far as it goes without real models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cfft.errors import CfftError, described
from cfft.plugin.failures import is_blamed
from cfft.plugin.params import Declaration
from cfft.plugin.registry import Provided
from cfft.testing.conformance import check_declaration, check_strategy


def complaints(strategies: Iterable[Provided]) -> Iterator[str]:
    """Go through the rules that strategies break, each in one line with its plug-in."""
    for provided in strategies:
        declared = provided.declaration
        needs_more = declared.kind == "backbone" or not _builds(declared)
        try:
            (check_declaration if needs_more else check_strategy)(declared.cls)
        except (AssertionError, CfftError) as error:
            yield _line(str(error), provided)
        except (Exception, SystemExit) as error:  # a stranger's strategy may raise anything
            if isinstance(error, SystemExit) and not is_blamed(error):
                raise
            yield _line(f"{declared.path}: {described(error)}", provided)


def _builds(declared: Declaration) -> bool:
    """Tell whether a strategy can be made without any value from a user."""
    try:
        declared.build({}, {})
    except CfftError:
        return False
    return True


def _line(complaint: str, provided: Provided) -> str:
    return f"{' '.join(complaint.split())} [plug-in {provided.plugin.origin}]"
