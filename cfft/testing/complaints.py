"""Run the conformance kit on installed strategies, as far as it goes without real models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cfft.plugin.registry import Provided
from cfft.testing.conformance import check_declaration, check_strategy


def complaints(strategies: Iterable[Provided]) -> Iterator[str]:
    """Go through the rules that strategies break, each in one line with its plug-in."""
    for provided in strategies:
        declared = provided.declaration
        needs_more = declared.kind == "backbone" or any(param.required for param in declared.params)
        try:
            (check_declaration if needs_more else check_strategy)(declared.cls)
        except Exception as error:  # a stranger's strategy may raise anything
            complaint = " ".join(f"{type(error).__name__}: {error}".split())
            yield f"{complaint} [plug-in {provided.plugin.origin}]"
