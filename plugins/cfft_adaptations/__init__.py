"""Built-in adaptations: all, head, last-blocks, norms, lora and r-adapter."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_adaptations.lora import Lora
from cfft_adaptations.r_adapter import RAdapter
from cfft_adaptations.subsets import AllWeights, HeadAlone, LastBlocks, Norms


@cfft.hookimpl
def cfft_adaptations() -> Sequence[type[Any]]:
    """Return the adaptations that come with cfft."""
    return [AllWeights, HeadAlone, LastBlocks, Norms, Lora, RAdapter]
