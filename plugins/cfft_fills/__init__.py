"""Built-in fills: tokens dropped, patches of other images, restyled images and plain ones."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_fills.images import ContextDonorFill, MultiFill, OtherClassFill, SingleFill
from cfft_fills.none import NoFill
from cfft_fills.plain import BlurFill, MeanFill
from cfft_fills.restyle import RestyleFill


@cfft.hookimpl
def cfft_fills() -> Sequence[type[Any]]:
    """Return the fills that come with cfft."""
    others = [SingleFill, MultiFill, OtherClassFill, ContextDonorFill]
    return [NoFill, *others, RestyleFill, MeanFill, BlurFill]
