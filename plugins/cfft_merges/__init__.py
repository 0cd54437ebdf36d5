"""Built-in merges of models after training: wise, layer-wise, soups, model-stock."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_merges.layer_wise import LayerWiseMerge
from cfft_merges.model_stock import ModelStockMerge
from cfft_merges.soups import GreedySoup, UniformSoup
from cfft_merges.wise import WiseMerge


@cfft.hookimpl
def cfft_merges() -> Sequence[type[Any]]:
    """Return the merges that come with cfft."""
    return [WiseMerge, LayerWiseMerge, UniformSoup, GreedySoup, ModelStockMerge]
