"""The timm backbone: vision transformers with a classifier of their own and no text tower."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

import cfft
from cfft_backbones.hub import fetch
from cfft_backbones.timm_facts import identity, preprocessing

if TYPE_CHECKING:
    from torch import Tensor, nn

_WEIGHT_NAMES = ("model.safetensors", "pytorch_model.bin")
_DEFAULT_TAG = "timm"
_SEED = 0


@cfft.backbone("timm")
class TimmBackbone:
    """Build vision transformers by timm's names, from tags or local files.

    The name may carry a tag (`vit_tiny_patch16_224.augreg_in21k`), whose preprocessing then
    holds. Weights are a tag, `timm` for the default one, or a file in timm's names, with or
    without its classifier.
    """

    def build(self, name: str, weights: str | None) -> cfft.Pretrained:
        """Return the model with `weights`; without, its values are random but always the same.

        `own_head` is the classifier that came with the weights, else None. Raises ConfigError
        and WeightsError.
        """
        full_name = _full_name(name, weights)
        file = _local_file(full_name, weights)
        model = _create(full_name, num_classes=_classes_in(file))
        prepared = preprocessing(model, full_name)
        own_head = _take_head(model)
        encoder = _encoder(model, prepared, full_name)
        if file is not None:
            _load(encoder, own_head, file, full_name)
        elif weights is not None:
            own_head = _load_tag(encoder, full_name)
        return cfft.Pretrained(
            encoder=encoder,
            preprocessing=prepared,
            normalised=False,
            identity=identity(encoder, prepared),
            rebuild=full_name,
            own_head=own_head,
        )
