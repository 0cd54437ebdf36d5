"""Models for ONNX runtimes: one graph from pixels to features and logits."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

import cfft
from cfft_exporters.shared import require_packages

if TYPE_CHECKING:
    from torch import Tensor

FILE = "model.onnx"
_BATCH = 2  # of the example; the graph takes any
_USAGE = """
import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

height, width, short_side = {height}, {width}, {resize}
image = Image.open("image.png").convert("RGB")
scale = short_side / min(image.size)
image = image.resize([int(scale * side) for side in image.size], Image.Resampling.{resampling})
left, top = round((image.width - width) / 2), round((image.height - height) / 2)
image = image.crop((left, top, left + width, top + height))
pixels = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255  # [1, 3, H, W] in 0..1

session = onnxruntime.InferenceSession("model.onnx")
features, logits = session.run(["features", "logits"], {{"images": pixels}})
print(json.loads(Path("classes.json").read_text("utf-8"))[logits.argmax()])
"""


@cfft.exporter("onnx")
class OnnxExporter(cfft.Exporter):
    """Write encoder and head as an ONNX graph for batches of any size.

    Input `images` [B, 3, H, W], float32 in 0..1; mean and standard deviation are part of the graph.
    Outputs `features` [B, D], un-normalised, and `logits` [B, K].
    """

    opset: int = cfft.param(18, help="version of the ONNX operators", ge=18, le=23)

    library = "onnx"

    def require(self, description: cfft.ModelDescription) -> None:
        """Refuse to work without onnx, onnxscript and onnxruntime."""
        require_packages("onnx", "onnx", "onnxscript", "onnxruntime")

    def export(self, model: cfft.ExportSource, folder: Path) -> None:
        """Write the graph; weights that do not fit into one file of 2 GB go beside it."""
        import torch

        images = torch.zeros(_BATCH, 3, *model.preprocessing.size)
        with _quiet():
            program: Any = torch.onnx.export(
                _outputs(model),
                (images,),
                dynamo=True,
                opset_version=self.opset,
                input_names=["images"],
                output_names=["features", "logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
        facts = {
            "classes": json.dumps([*model.classes]),
            "preprocessing": json.dumps(attrs.asdict(model.preprocessing)),
        }
        program.model.metadata_props.update(facts)
        program.save(folder / FILE)

    def reload(self, folder: Path) -> Callable[[Tensor], cfft.Encoded]:
        """Load the graph with onnxruntime, on the CPU."""
        import onnxruntime
        import torch

        session = onnxruntime.InferenceSession(
            str(folder / FILE), providers=["CPUExecutionProvider"]
        )

        def encoded(images: Tensor) -> cfft.Encoded:
            found = session.run(["features", "logits"], {"images": images.numpy()})
            return cfft.Encoded(*map(torch.from_numpy, found))

        return encoded

    def usage(self, model: cfft.ExportSource) -> str:
        """Return code that labels an image."""
        prepared = model.preprocessing
        height, width = prepared.size
        return _USAGE.format(
            height=height,
            width=width,
            resize=prepared.resize,
            resampling=prepared.interpolation.upper(),
        )


def _outputs(model: cfft.ExportSource) -> Any:
    """Return the model as a module with a tuple of outputs, which graphs have."""
    from torch import nn

    class Outputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classifier = model.classifier

        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            encoded = self.classifier(images)
            return encoded.features, encoded.logits

    return Outputs().eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch says of its own exporter from users; what fails is raised."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
