"""Models for timm: its own transformers with their head, and CLIP's as timm has them."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, nextafter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cfft
from cfft_exporters.shared import (
    channels,
    is_quick_gelu,
    library_of,
    preprocess_code,
    require_library,
    tower_weights,
)

if TYPE_CHECKING:
    from torch import Tensor

_SIZES = {(768, 12): "base", (1024, 24): "large", (1280, 32): "huge", (1664, 48): "gigantic"}
"""timm's names of CLIP's image towers, by width and layers."""

_OF_OTHER_WEIGHTS = frozenset(
    ("tag", "license", "notes", "paper_ids", "paper_name", "origin_url", "label_names",
     "label_descriptions", "label_offset")
)  # fmt: skip

_USAGE = """
import json
from pathlib import Path

import timm
import torch
from PIL import Image
{imports}
# once it is published: "hf-hub:OWNER/NAME"
model = timm.create_model("local-dir:.", pretrained=True).eval()
{preprocess}classes = json.loads(Path("classes.json").read_text("utf-8"))
with torch.no_grad():
    {logits}
print(classes[logits.argmax()])
"""
_OWN_TRANSFORM = """settings = timm.data.resolve_model_data_config(model)
preprocess = timm.data.create_transform(**settings, is_training=False)
"""
_OWN_HEAD = 'logits = model(preprocess(Image.open("image.png").convert("RGB"))[None])'
_BESIDE = """head = load_file("head.safetensors")
    features = model(preprocess(Image.open("image.png").convert("RGB"))[None]){normalised}
    logits = features @ head["weight"].T + head["bias"]"""


@cfft.exporter("timm")
class TimmExporter(cfft.Exporter):
    """Write a model for timm: its own with classes, CLIP's towers with features.

    The head of a CLIP acts on features of L2 norm 1, for which timm's models have no place: as in
    timm's own CLIPs `num_classes` is the length of the features, and the head lies beside them.
    """

    library = "timm"

    def require(self, description: cfft.ModelDescription) -> None:
        """Refuse models of libraries that timm has no names for."""
        require_library("timm", description, "timm", "open_clip")

    def export(self, model: cfft.ExportSource, folder: Path) -> None:
        """Write configuration and weights as timm does for the hub."""
        from timm.models import save_for_hf

        made = _of_clip(model) if _is_clip(model) else _of_timm(model)
        labels = {} if _is_clip(model) else {"label_names": list(model.classes)}
        prepared = model.preprocessing
        data = {
            "input_size": (3, *prepared.size),
            "interpolation": prepared.interpolation,
            "mean": prepared.mean,
            "std": prepared.std,
            "crop_pct": _crop_share(prepared),
            "crop_mode": "center",
        }
        # facts about the weights that timm has under this name, which these are not
        made.pretrained_cfg = {
            key: value for key, value in made.pretrained_cfg.items() if key not in _OF_OTHER_WEIGHTS
        }
        save_for_hf(
            made, str(folder), model_config=labels, safe_serialization=True, data_config=data
        )

    def reload(self, folder: Path) -> Callable[[Tensor], cfft.Encoded]:
        """Load the folder with timm."""
        import timm
        from timm.data import resolve_model_data_config

        model: Any = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        prepared, head = resolve_model_data_config(model), cfft.read_head(folder)

        def encoded(images: Tensor) -> cfft.Encoded:
            mean, std = (channels(prepared[key], images) for key in ("mean", "std"))
            output = model((images - mean) / std)
            if head.normalised:
                return cfft.Encoded(output, head(output))
            tokens = model.forward_features((images - mean) / std)
            return cfft.Encoded(model.forward_head(tokens, pre_logits=True), output)

        return encoded

    def usage(self, model: cfft.ExportSource) -> str:
        """Return code that labels an image."""
        code = preprocess_code(model.preprocessing) or _OWN_TRANSFORM
        if not _is_clip(model):
            return _USAGE.format(imports="", logits=_OWN_HEAD, preprocess=code)
        normalised = model.classifier.head.normalised
        norm = "\n    features = torch.nn.functional.normalize(features)" if normalised else ""
        imports = "from safetensors.torch import load_file\n"
        logits = _BESIDE.format(normalised=norm)
        return _USAGE.format(imports=imports, logits=logits, preprocess=code)


def _is_clip(model: cfft.ExportSource) -> bool:
    return library_of(model.description) == "open_clip"


def _of_timm(model: cfft.ExportSource) -> Any:
    """Return timm's model with the classes of `model`."""
    head = model.classifier.head
    if head.normalised:
        raise cfft.WeightsError(
            "format 'timm' has no place for a head on features of L2 norm 1: choose onnx"
        )
    tower: Any = model.classifier.encoder.tower
    name = tower.pretrained_cfg["architecture"]
    made = _created(name, num_classes=len(model.classes), img_size=model.preprocessing.size)
    tensors = {"head.weight": head.weight.detach(), "head.bias": head.bias.detach()}
    made.load_state_dict(tower_weights(model) | tensors)
    return made


def _of_clip(model: cfft.ExportSource) -> Any:
    """Return CLIP's image tower as timm has it; raises WeightsError for one that it has not."""
    from timm.models.vision_transformer import checkpoint_filter_fn

    tower: Any = model.classifier.encoder.tower
    if tower.proj is None:
        raise cfft.WeightsError("format 'timm' takes CLIP towers with a projection: choose onnx")
    made = _clip_outline(model, tower)
    named = {f"visual.{name}": tensor for name, tensor in tower_weights(model).items()}
    try:
        made.load_state_dict(checkpoint_filter_fn(named, made))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise cfft.WeightsError(
            f"format 'timm' has no place for this CLIP ({reason}): choose open_clip or onnx"
        ) from error
    return made


def _clip_outline(model: cfft.ExportSource, tower: Any) -> Any:
    """Return timm's model of the same sizes: by its own name, else with the sizes written out."""
    import timm

    block, layers = tower.transformer.resblocks[0], len(tower.transformer.resblocks)
    width, heads = tower.transformer.width, block.attn.num_heads
    (patch, _), size = model.classifier.encoder.patch, model.preprocessing.size
    quick = "quickgelu_" if is_quick_gelu(model.description) else ""
    kind = _SIZES.get((width, layers))
    name = f"vit_{kind}_patch{patch}_clip_{quick}{size[0]}"
    output = {"num_classes": model.classifier.encoder.dim}
    if timm.is_model(name) and heads * 64 == width and size[0] == size[1]:
        return _created(name, **output)
    hidden = block.mlp.c_fc.out_features
    sizes = {"patch_size": patch, "embed_dim": width, "depth": layers, "num_heads": heads}
    sizes |= {"mlp_ratio": hidden / width, "img_size": size}
    return _created(f"vit_base_patch16_clip_{quick}224", **output, **sizes)


def _created(name: str, **settings: Any) -> Any:
    """Return timm's model with random values; global randomness is left as it was."""
    import timm
    import torch

    with torch.random.fork_rng(devices=[]):
        return timm.create_model(name, **settings).eval()


def _crop_share(prepared: cfft.Preprocessing) -> float:
    """Return the share of which timm makes the short side again: floor(crop / share)."""
    crop = max(prepared.size)
    share = crop / prepared.resize
    return share if floor(crop / share) == prepared.resize else nextafter(share, 0)
