"""Built-in auxiliary losses: of features, logits, similarities with prompts, and weights."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_losses.carot import Orthogonality, SimilarityKd
from cfft_losses.distillation import LogitKl, WiseKd
from cfft_losses.features import FeatureMse
from cfft_losses.text import CarFt, LipsumFt, TextSimilarity


@cfft.hookimpl
def cfft_losses() -> Sequence[type[Any]]:
    """Return the losses that come with cfft."""
    return [
        FeatureMse,
        LogitKl,
        WiseKd,
        CarFt,
        LipsumFt,
        TextSimilarity,
        Orthogonality,
        SimilarityKd,
    ]
