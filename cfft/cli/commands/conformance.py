"""Run the conformance kit on installed strategies, as far as it goes without real models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cfft.plugin.registry import Provided
from cfft.testing import check_declaration, check_strategy

_NEEDS_A_MODEL = ("backbone",)


def complaints(strategies: Iterable[Provided]) -> Iterator[str]:
    """Go through the rules that strategies break, each in one line with its plug-in."""
    for provided in strategies:
        complaint = _complaint(provided)
        if complaint is not None:
            yield f"{complaint} [plug-in {provided.plugin.origin}]"


def _complaint(provided: Provided) -> str | None:
    declared = provided.declaration
    needs_values = any(param.required for param in declared.params)
    only_declared = needs_values or declared.kind in _NEEDS_A_MODEL
    check = check_declaration if only_declared else check_strategy
    try:
        check(declared.cls)
    except Exception as error:  # a stranger's strategy may raise anything
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None
