"""Facts and checks that several exporters need."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import cfft

if TYPE_CHECKING:
    from torch import Tensor

_PREPROCESS = """from torchvision import transforms

preprocess = transforms.Compose([
    transforms.Resize({resize}, transforms.InterpolationMode.{interpolation}),
    transforms.CenterCrop({size}),
    transforms.ToTensor(),
    transforms.Normalize({mean}, {std}),
])
"""
EXTRAS: Mapping[str, str] = {
    "transformers": "cfft[hf]",
    "onnx": "cfft[onnx]",
    "onnxscript": "cfft[onnx]",
    "onnxruntime": "cfft[onnx]",
}


def library_of(description: cfft.ModelDescription) -> str:
    """Return the library whose transformer the model is, as its backbone says; may be empty."""
    return description.identity.get("library", "")


def require_library(exporter: str, description: cfft.ModelDescription, *allowed: str) -> None:
    """Raise WeightsError unless a format has a place for models of this library."""
    found = library_of(description)
    if found not in allowed:
        raise cfft.WeightsError(
            f"format '{exporter}' takes models of {' and '.join(allowed)}, this one is of "
            f"{found or description.backbone}: choose another format, onnx takes all"
        )


def require_packages(exporter: str, *packages: str) -> None:
    """Raise ConfigError for a package that cannot be imported, saying how to install it."""
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise cfft.ConfigError(
                f"format '{exporter}' needs the package {package}: pip install "
                f"'{EXTRAS[package]}' ({error})"
            ) from error


def require_square(exporter: str, description: cfft.ModelDescription) -> int:
    """Return the side of the images in pixels; raises WeightsError where they are no square."""
    height, width = description.preprocessing.size
    if height != width:
        raise cfft.WeightsError(
            f"format '{exporter}' takes models of square images, this one reads {height}x{width}: "
            "choose another format"
        )
    return height


def tower_weights(model: cfft.ExportSource) -> dict[str, Tensor]:
    """Return the image tower's weights by the names of its library, without `visual.`."""
    prefix, weights = "visual.", model.classifier.weights()
    return {
        name.removeprefix(prefix): tensor.detach()
        for name, tensor in weights.items()
        if name.startswith(prefix)
    }


def is_quick_gelu(description: cfft.ModelDescription) -> bool:
    """Tell whether the activation is QuickGELU rather than GELU."""
    return description.identity.get("activation") == "QuickGELU"


def channels(values: Any, like: Tensor) -> Tensor:
    """Return a number per colour as [3, 1, 1]."""
    return like.new_tensor(values).view(3, 1, 1)


def preprocess_code(prepared: cfft.Preprocessing) -> str:
    """Return Python code for images that are no square, else nothing.

    open_clip and timm bring them to another size than cfft before they crop; squares they do not.
    """
    height, width = prepared.size
    if height == width:
        return ""
    return _PREPROCESS.format(
        resize=prepared.resize,
        interpolation=prepared.interpolation.upper(),
        size=(height, width),
        mean=prepared.mean,
        std=prepared.std,
    )
