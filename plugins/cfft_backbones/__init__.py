"""Built-in backbones of cfft: open_clip and timm vision transformers."""

from __future__ import annotations

import cfft
from cfft_backbones.open_clip_backbone import OpenClipBackbone
from cfft_backbones.timm_backbone import TimmBackbone


@cfft.hookimpl
def cfft_backbones() -> list[type]:
    """Offer the built-in backbones."""
    return [OpenClipBackbone, TimmBackbone]
