"""Built-in auxiliary losses: of features, logits, similarities, prompts and weights."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_losses.carot import Orthogonality, SimilarityKd
from cfft_losses.distillation import LogitKl, WiseKd
from cfft_losses.features import FeatureCosine, FeatureMse
from cfft_losses.relations import Relational
from cfft_losses.text import CarFt, LipsumFt, TextSimilarity
from cfft_losses.weights import L2Sp


@cfft.hookimpl
def cfft_losses() -> Sequence[type[Any]]:
    """Return the losses that come with cfft."""
    return [
        *(FeatureMse, FeatureCosine, LogitKl, WiseKd, Relational, L2Sp),
        *(CarFt, LipsumFt, TextSimilarity, Orthogonality, SimilarityKd),
    ]
