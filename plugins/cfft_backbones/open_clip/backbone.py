"""The open_clip backbone: CLIP models with their prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import cfft
from cfft_backbones.open_clip.configs import Architecture, find_architecture
from cfft_backbones.open_clip.facts import identity, preprocessing
from cfft_backbones.open_clip.models import (
    LoadedWeights,
    build_model,
    load_weights,
    patch_grids,
)
from cfft_backbones.open_clip.sources import WeightSource, locate, settle_activation
from cfft_backbones.open_clip.text import text_parts
from cfft_backbones.positions import IMAGE_SIZE, require_same_model
from cfft_backbones.shared import make_encoder

if TYPE_CHECKING:
    from torch import nn

_UNSAID = {
    "activation": "--backbone.open_clip.quick-gelu true (as OpenAI's weights have it) or false"
}


@cfft.backbone("open_clip")
class OpenClipBackbone:
    """Build CLIP models by open_clip's names, from tags or local files.

    The name is cfft-mini, one of open_clip's, a path to a model config (.json),
    `local-dir:FOLDER` or `hf-hub:OWNER/NAME`. Weight files may have open_clip's, OpenAI's or
    Hugging Face's names. The activation comes from the tag; for files it is the architecture's.
    Hugging Face files are checked against the config.json beside them and are trusted without one.
    For images of another size, positional embeddings are interpolated as open_clip does.
    """

    quick_gelu: bool | None = cfft.param(None, help="QuickGELU (true) or GELU (false)")
    mean: tuple[float, float, float] | None = cfft.param(None, help="mean per channel, 0 to 1")
    std: tuple[float, float, float] | None = cfft.param(None, help="deviation per channel")
    image_size: int | None = cfft.param(None, help=IMAGE_SIZE, ge=1)

    def build(self, name: str, weights: str | None) -> cfft.Pretrained:
        """Return the model with `weights`; without, its values are random but always the same.

        A weight file without a text tower gives `encode_text` None. Raises ConfigError and
        WeightsError.
        """
        found = find_architecture(name)
        source = locate(found, weights)
        architecture = self._settled(found, source)
        model = build_model(architecture)
        prepared = preprocessing(architecture, model.visual)
        encoder = make_encoder(model.visual, prepared, architecture.label)
        facts = identity(architecture, encoder, prepared)
        file = None if source is None else source.read()
        loaded = _load(model, file, architecture, facts)
        return cfft.Pretrained(
            encoder=encoder,
            preprocessing=prepared,
            normalised=True,
            identity=facts,
            rebuild=architecture.vision_only(),
            trained=source is not None,
            unsaid={} if self._says_activation(found, source) else _UNSAID,
            nest="" if file is None else file.nest,
            warnings=() if file is None else file.warnings,
            interpolated_from=loaded.interpolated_from,
            config=architecture.model,
            **(text_parts(model, architecture) if loaded.has_text else {}),
        )

    def _says_activation(self, architecture: Architecture, source: WeightSource | None) -> bool:
        by_weights = source is not None and source.quick_gelu is not None
        return by_weights or self.quick_gelu is not None or "quick_gelu" in architecture.model

    def _settled(self, architecture: Architecture, source: WeightSource | None) -> Architecture:
        quick_gelu = settle_activation(architecture, source, self.quick_gelu)
        chosen = architecture.with_quick_gelu(quick_gelu)
        if source is not None:
            chosen = chosen.with_preprocess(source.preprocess)
        chosen = chosen.with_preprocess({"mean": self.mean, "std": self.std})
        return chosen.with_image_size(self.image_size)


def _load(
    model: nn.Module,
    file: cfft.WeightFile | None,
    architecture: Architecture,
    facts: Mapping[str, str],
) -> LoadedWeights:
    """Copy the weights into the model; without any, a text tower has random ones."""
    if file is None:
        return LoadedWeights(architecture.reads_text)
    require_same_model(file, facts, patch_grids(model, architecture))
    return load_weights(model, file, architecture)
