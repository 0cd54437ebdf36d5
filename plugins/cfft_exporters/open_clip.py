"""Models for open_clip: its configuration file and the weights of both towers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cfft
from cfft_exporters.shared import (
    channels,
    is_quick_gelu,
    preprocess_code,
    require_library,
    tower_weights,
)

if TYPE_CHECKING:
    from torch import Tensor

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
_USAGE = """
import json
from pathlib import Path

import open_clip
import torch
from PIL import Image
from safetensors.torch import load_file

{preprocess}# once it is published: "hf-hub:OWNER/NAME"; of a known architecture also
# open_clip.create_model_and_transforms(NAME, pretrained="open_clip_model.safetensors")
model, _, {own} = open_clip.create_model_and_transforms("local-dir:.")
model.eval()
head, classes = load_file("head.safetensors"), json.loads(Path("classes.json").read_text("utf-8"))
with torch.no_grad():
    features = model.encode_image(preprocess(Image.open("image.png"))[None], normalize={normalised})
    logits = features @ head["weight"].T + head["bias"]
print(classes[logits.argmax()])
"""


@cfft.exporter("open_clip")
class OpenClipExporter(cfft.Exporter):
    """Write a model for open_clip, with the text tower from before fine-tuning.

    The folder is what open_clip takes as `local-dir:FOLDER`; its weight file alone is what
    `--pretrained FILE` takes beside the name of the architecture.
    """

    library = "open_clip"
    reads_text = True

    def require(self, description: cfft.ModelDescription) -> None:
        """Refuse models of other libraries."""
        require_library("open_clip", description, "open_clip")

    def export(self, model: cfft.ExportSource, folder: Path) -> None:
        """Write configuration and weights."""
        from safetensors.torch import save_file

        config = {"model_cfg": model_config(model), "preprocess_cfg": _preprocess(model)}
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", "utf-8")
        text = text_weights(model)
        if not _is_custom(model):
            text = {name.removeprefix("text."): tensor for name, tensor in text.items()}
        image = {f"visual.{name}": tensor for name, tensor in tower_weights(model).items()}
        both = {name: tensor.contiguous() for name, tensor in (image | text).items()}
        save_file(both, folder / WEIGHTS, {"format": "pt"})

    def reload(self, folder: Path) -> Callable[[Tensor], cfft.Encoded]:
        """Load the folder with open_clip."""
        import open_clip

        model: Any = open_clip.create_model(f"local-dir:{folder}").eval()
        prepared, head = model.visual.preprocess_cfg, cfft.read_head(folder)

        def encoded(images: Tensor) -> cfft.Encoded:
            mean, std = (channels(prepared[key], images) for key in ("mean", "std"))
            features = model.encode_image((images - mean) / std)
            return cfft.Encoded(features, head(features))

        return encoded

    def usage(self, model: cfft.ExportSource) -> str:
        """Return code that labels an image."""
        code = preprocess_code(model.preprocessing)
        own = "_" if code else "preprocess"
        normalised = model.classifier.head.normalised
        return _USAGE.format(normalised=normalised, preprocess=code, own=own)


def model_config(model: cfft.ExportSource) -> dict[str, Any]:
    """Return open_clip's configuration of both towers, for the images that the model reads."""
    assert model.start is not None, "cfft builds it for exporters that read text"
    config: Mapping[str, Any] = model.start.config
    height, width = model.preprocessing.size
    size = height if height == width else [height, width]
    known = {key: value for key, value in config.items() if key != "init_logit_bias"}
    return {
        **known,
        "quick_gelu": is_quick_gelu(model.description),
        "vision_cfg": {**config["vision_cfg"], "image_size": size},
    }


def text_weights(model: cfft.ExportSource) -> dict[str, Tensor]:
    """Return the text tower's weights, under `text.` but for `logit_scale`."""
    assert model.start is not None, "cfft builds it for exporters that read text"
    assert model.start.text is not None, "cfft asks for one with a text tower"
    return {name: tensor.detach() for name, tensor in model.start.text.state_dict().items()}


def _is_custom(model: cfft.ExportSource) -> bool:
    return bool(model.start is not None and model.start.config.get("custom_text", False))


def _preprocess(model: cfft.ExportSource) -> dict[str, Any]:
    prepared = model.preprocessing
    return {
        "mean": list(prepared.mean),
        "std": list(prepared.std),
        "interpolation": prepared.interpolation,
        "resize_mode": "shortest",
    }
