"""Built-in backbones of cfft: open_clip and timm vision transformers."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_backbones.open_clip.backbone import OpenClipBackbone
from cfft_backbones.timm.backbone import TimmBackbone


@cfft.hookimpl
def cfft_backbones() -> Sequence[type[Any]]:
    """Offer the built-in backbones."""
    return [OpenClipBackbone, TimmBackbone]
