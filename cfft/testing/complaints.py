"""Run the conformance kit on installed strategies, as far as it goes without real models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from cfft.data.suite import Suite
from cfft.errors import CfftError, described
from cfft.plugin.failures import is_blamed
from cfft.plugin.params import Declaration
from cfft.plugin.registry import Provided
from cfft.testing.conformance import check_declaration, check_strategy, example_of


def complaints(strategies: Iterable[Provided]) -> Iterator[str]:
    """Go through the rules that strategies break, each in one line with its plug-in."""
    for provided in strategies:
        declared = provided.declaration
        try:
            (check_strategy if runs_alone(declared) else check_declaration)(declared.cls)
        except (AssertionError, CfftError) as error:
            yield _line(str(error), provided)
        except (Exception, SystemExit) as error:  # a stranger's strategy may raise anything
            if isinstance(error, SystemExit) and not is_blamed(error):
                raise
            yield _line(f"{declared.path}: {described(error)}", provided)


def runs_alone(declared: Declaration) -> bool:
    """Tell whether a strategy is to run on defaults or its own example, without a user's values.

    Backbones need the name of a model, and some suites an optional package.
    """
    requires = Suite.of(declared.cls).requires if declared.kind == "suite" else ()
    if declared.kind == "backbone" or any(find_spec(module) is None for module in requires):
        return False
    with TemporaryDirectory() as folder:
        if example_of(declared, Path(folder)):
            return True
    try:
        declared.build({}, {})
    except CfftError:
        return False
    return True


def _line(complaint: str, provided: Provided) -> str:
    return f"{' '.join(complaint.split())} [plug-in {provided.plugin.origin}]"
