"""The timm backbone: vision transformers with a classifier of their own and no text tower."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

import cfft
from cfft_backbones.positions import IMAGE_SIZE, PatchGrids, check_size
from cfft_backbones.shared import looks_like_path, make_encoder
from cfft_backbones.timm.facts import identity, preprocessing
from cfft_backbones.timm.models import (
    create,
    download,
    full_name,
    load_file,
    outline,
    split_size,
    with_size,
)

if TYPE_CHECKING:
    from torch import nn


@cfft.backbone("timm")
class TimmBackbone:
    """Build vision transformers by timm's names, from tags or local files.

    The name may carry a tag (`vit_tiny_patch16_224.augreg_in21k`), whose preprocessing then
    holds. Weights are a tag, `timm` for the default one, or a file in timm's names, with or
    without its classifier. For images of another size, positional embeddings are interpolated as
    timm does.
    """

    image_size: int | None = cfft.param(None, help=IMAGE_SIZE, ge=1)

    def build(self, name: str, weights: str | None) -> cfft.Pretrained:
        """Return the model with `weights`; without, its values are random but always the same.

        `own_head` is the classifier that came with the weights, or None. Raises ConfigError and
        WeightsError.
        """
        is_file = weights is not None and looks_like_path(weights)
        name, stored_size = split_size(name)
        size = stored_size if self.image_size is None else self.image_size
        label = full_name(name, None if is_file else weights)
        usual = planned = _planned(label)  # refuses before downloads
        if size is not None:
            check_size(size, usual.encoder.patch, f"timm:{label}")
            planned = _planned(label, size)
        prepared = planned.preprocessing
        grids = PatchGrids(
            usual.encoder.patch, planned.encoder.grid, usual.encoder.grid, size is not None
        )
        file = cfft.read_weights(Path(weights)) if is_file and weights else None
        facts = identity(planned.encoder, prepared)
        model, grid = _with_weights(label, weights, file, facts, grids, size)
        own_head = _take_head(model)
        encoder = make_encoder(model, prepared, f"timm:{label}")
        return cfft.Pretrained(
            encoder=encoder,
            preprocessing=prepared,
            normalised=False,
            identity=facts,
            rebuild=with_size(label, size),
            own_head=own_head,
            trained=weights is not None,
            nest="" if file is None else file.nest,
            warnings=() if file is None else file.warnings,
            interpolated_from=None if grid == grids.now else grid,
        )


@attrs.frozen(eq=False)
class _Planned:
    """Hold a model without values."""

    encoder: cfft.Encoder
    preprocessing: cfft.Preprocessing


def _planned(label: str, size: int | None = None) -> _Planned:
    model = outline(label, **_settings(size))
    prepared = preprocessing(model, label, size)
    return _Planned(make_encoder(model, prepared, f"timm:{label}"), prepared)


def _settings(size: int | None) -> dict[str, int]:
    return {} if size is None else {"img_size": size}


def _with_weights(
    label: str,
    weights: str | None,
    file: cfft.WeightFile | None,
    facts: Mapping[str, str],
    grids: PatchGrids,
    size: int | None,
) -> tuple[Any, tuple[int, int]]:
    """Return the model, and the patch grid that the positional embeddings were made for."""
    settings = _settings(size)
    if weights is None:
        return create(label, num_classes=0, **settings), grids.now
    if file is None:
        return download(label, **settings), grids.usual
    return load_file(label, file, facts, grids, **settings)


def _take_head(model: Any) -> nn.Linear | None:
    """Take the classifier off `model`; None where it has no linear one."""
    from torch import nn

    head = model.get_classifier()
    model.reset_classifier(0)
    return head if isinstance(head, nn.Linear) else None
