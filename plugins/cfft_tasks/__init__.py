"""Built-in tasks: contrastive, cross-entropy and none."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_tasks.contrastive import Contrastive
from cfft_tasks.cross_entropy import CrossEntropy
from cfft_tasks.none import NoTask


@cfft.hookimpl
def cfft_tasks() -> Sequence[type[Any]]:
    """Return the tasks that come with cfft."""
    return [Contrastive, CrossEntropy, NoTask]
