"""The timm backbone: vision transformers with a classifier of their own and no text tower."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cfft
from cfft_backbones.shared import looks_like_path, make_encoder
from cfft_backbones.timm.facts import identity, preprocessing
from cfft_backbones.timm.models import create, download, full_name, load_file, outline

if TYPE_CHECKING:
    from torch import nn


@cfft.backbone("timm")
class TimmBackbone:
    """Build vision transformers by timm's names, from tags or local files.

    The name may carry a tag (`vit_tiny_patch16_224.augreg_in21k`), whose preprocessing then
    holds. Weights are a tag, `timm` for the default one, or a file in timm's names, with or
    without its classifier.
    """

    def build(self, name: str, weights: str | None) -> cfft.Pretrained:
        """Return the model with `weights`; without, its values are random but always the same.

        `own_head` is the classifier that came with the weights, or None. Raises ConfigError and
        WeightsError.
        """
        is_file = weights is not None and looks_like_path(weights)
        label = full_name(name, None if is_file else weights)
        prepared = preprocessing(outline(label), label)
        planned = make_encoder(
            outline(label), prepared, f"timm:{label}"
        )  # refuses before downloads
        facts = identity(planned, prepared)
        file = cfft.read_weights(Path(weights)) if is_file and weights else None
        model = _with_weights(label, weights, file, facts)
        own_head = _take_head(model)
        encoder = make_encoder(model, prepared, f"timm:{label}")
        return cfft.Pretrained(
            encoder=encoder,
            preprocessing=prepared,
            normalised=False,
            identity=facts,
            rebuild=label,
            own_head=own_head,
            trained=weights is not None,
            nest="" if file is None else file.nest,
            warnings=() if file is None else file.warnings,
        )


def _with_weights(
    label: str, weights: str | None, file: cfft.WeightFile | None, facts: Mapping[str, str]
) -> Any:
    if weights is None:
        return create(label, num_classes=0)
    return download(label) if file is None else load_file(label, file, facts)


def _take_head(model: Any) -> nn.Linear | None:
    """Take the classifier off `model`; None where it has no linear one."""
    from torch import nn

    head = model.get_classifier()
    model.reset_classifier(0)
    return head if isinstance(head, nn.Linear) else None
