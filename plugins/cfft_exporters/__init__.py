"""Built-in exporters of cfft: open_clip, timm, Hugging Face transformers, ONNX."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_exporters.hf import HuggingFaceExporter
from cfft_exporters.onnx import OnnxExporter
from cfft_exporters.open_clip import OpenClipExporter
from cfft_exporters.timm import TimmExporter


@cfft.hookimpl
def cfft_exporters() -> Sequence[type[Any]]:
    """Offer the built-in exporters."""
    return [OpenClipExporter, TimmExporter, HuggingFaceExporter, OnnxExporter]
