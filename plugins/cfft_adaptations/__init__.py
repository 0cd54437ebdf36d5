"""Built-in adaptations: all and head."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_adaptations.subsets import AllWeights, HeadAlone


@cfft.hookimpl
def cfft_adaptations() -> Sequence[type[Any]]:
    """Return the adaptations that come with cfft."""
    return [AllWeights, HeadAlone]
