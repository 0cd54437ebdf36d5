"""Models to look at, for given pictures: stored ones, or the one that a run starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cfft.before import starting_model
from cfft.config import RunConfig
from cfft.errors import WeightsError
from cfft.progress import Reporter
from cfft.rebuild import Rebuilt, load_classifier
from cfft.registry import Registry

if TYPE_CHECKING:
    from accelerate import Accelerator

_MOST_SHOWN = 3


def opened_model(
    path: Path | None,
    config: RunConfig,
    classes: tuple[str, ...],
    registry: Registry,
    accelerator: Accelerator,
    reporter: Reporter,
) -> Rebuilt:
    """Return the model stored at `path`; of None, the one that `config` starts from.

    `classes`: those of the pictures, by index. Raises WeightsError for a model of other classes
    and what `load_classifier` and `starting_model` raise.
    """
    if path is None:
        return starting_model(config, classes, accelerator, reporter)
    found = load_classifier(path, registry)
    theirs = found.description.classes
    if theirs != classes:
        raise WeightsError(
            f"{path} tells other classes apart ({_first(theirs)}) than the pictures have "
            f"({_first(classes)}): choose those that it was trained on (--suite)"
        )
    return found


def _first(classes: Sequence[str]) -> str:
    more = ", ..." if len(classes) > _MOST_SHOWN else ""
    return f"{len(classes)}: {', '.join(classes[:_MOST_SHOWN])}{more}"
