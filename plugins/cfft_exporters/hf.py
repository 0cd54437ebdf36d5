"""Models for Hugging Face transformers: CLIPModel with its processor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cfft
from cfft_exporters.open_clip import model_config, text_weights
from cfft_exporters.shared import (
    channels,
    is_quick_gelu,
    require_library,
    require_packages,
    require_square,
    tower_weights,
)

if TYPE_CHECKING:
    from torch import Tensor

_BLOCKS = (("transformer.resblocks.", "encoder.layers."),)
_VISION = (
    ("class_embedding", "embeddings.class_embedding"),
    ("conv1.", "embeddings.patch_embedding."),
    ("positional_embedding", "embeddings.position_embedding.weight"),
    ("ln_pre.", "pre_layrnorm."),
    ("ln_post.", "post_layernorm."),
    *_BLOCKS,
)
_TEXT = (
    ("token_embedding.", "embeddings.token_embedding."),
    ("positional_embedding", "embeddings.position_embedding.weight"),
    ("ln_final.", "final_layer_norm."),
    *_BLOCKS,
)
_IN_A_BLOCK = (
    (".ln_1.", ".layer_norm1."),
    (".ln_2.", ".layer_norm2."),
    (".mlp.c_fc.", ".mlp.fc1."),
    (".mlp.c_proj.", ".mlp.fc2."),
    (".attn.", ".self_attn."),
)
_VISION_KEYS = frozenset(
    ("layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size", "patch_dropout")
)
_TEXT_KEYS = frozenset(("layers", "width", "heads", "mlp_ratio", "context_length", "vocab_size"))
_USUAL: Mapping[str, Any] = {
    "attentional_pool": False, "no_ln_pre": False, "pos_embed_type": "learnable",
    "final_ln_after_pool": False, "pool_type": "tok", "output_tokens": False, "qk_norm": False,
    "block_type": None, "scaled_cosine_attn": False, "scale_heads": False, "act_kwargs": None,
    "scale_attn_inner": False, "scale_attn": False, "scale_fc": False, "norm_kwargs": None,
    "ls_init_value": None,
}  # fmt: skip
_USUAL_TEXT: Mapping[str, Any] = {
    **_USUAL, "pool_type": "argmax", "embed_cls": False, "no_causal_mask": False,
    "proj_bias": False, "proj_type": "linear", "hf_model_name": None, "hf_tokenizer_name": None,
    "tokenizer_kwargs": None,
}  # fmt: skip
_ATTENTION_HEAD, _MLP = 64, 4.0  # open_clip's own where a configuration says none
_START, _END = "<|startoftext|>", "<|endoftext|>"

_USAGE = """
import json
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPModel, CLIPProcessor

model = CLIPModel.from_pretrained(".").eval()  # once it is published: "OWNER/NAME"
processor = CLIPProcessor.from_pretrained(".")
head, classes = load_file("head.safetensors"), json.loads(Path("classes.json").read_text("utf-8"))
with torch.no_grad():
    pixels = processor(images=Image.open("image.png").convert("RGB"), return_tensors="pt")
    features = model.get_image_features(**pixels).pooler_output{normalised}
    logits = features @ head["weight"].T + head["bias"]
print(classes[logits.argmax()])
"""
_NORMALISED = "\n    features = torch.nn.functional.normalize(features)"


@cfft.exporter("hf")
class HuggingFaceExporter(cfft.Exporter):
    """Write a CLIPModel of transformers, with processor and original text tower."""

    library = "transformers"
    reads_text = True

    def require(self, description: cfft.ModelDescription) -> None:
        """Refuse other models than CLIPs of square images, and to work without transformers."""
        require_library("hf", description, "open_clip")
        require_square("hf", description)
        require_packages("hf", "transformers")

    def export(self, model: cfft.ExportSource, folder: Path) -> None:
        """Write configuration, weights, tokenizer and image processor as transformers does."""
        import torch
        from transformers import CLIPModel

        with torch.device("meta"):  # no values: all of them are given below
            made = CLIPModel(_config(model))
        tensors = {name: t.contiguous() for name, t in _renamed(model)}
        try:
            made.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise cfft.WeightsError(
                f"format 'hf' has no place for this CLIP ({reason}): choose open_clip or onnx"
            ) from error
        with _without_bars():
            made.save_pretrained(folder)
        _processor(model).save_pretrained(folder)

    def reload(self, folder: Path) -> Callable[[Tensor], cfft.Encoded]:
        """Load the folder with transformers."""
        from transformers import CLIPModel, CLIPProcessor

        with _without_bars():
            model = CLIPModel.from_pretrained(folder, local_files_only=True).eval()
        prepared: Any = CLIPProcessor.from_pretrained(folder).image_processor
        head = cfft.read_head(folder)

        def encoded(images: Tensor) -> cfft.Encoded:
            mean, std = (channels(v, images) for v in (prepared.image_mean, prepared.image_std))
            features = model.get_image_features((images - mean) / std).pooler_output
            return cfft.Encoded(features, head(features))

        return encoded

    def usage(self, model: cfft.ExportSource) -> str:
        """Return code that labels an image."""
        return _USAGE.format(normalised=_NORMALISED if model.classifier.head.normalised else "")


def _config(model: cfft.ExportSource) -> Any:
    """Return transformers' configuration; raises WeightsError for what CLIPModel lacks."""
    from transformers import CLIPConfig

    config = model_config(model)
    vision, text = config["vision_cfg"], config["text_cfg"]
    _refuse_unknown("vision_cfg", vision, _VISION_KEYS, _USUAL)
    _refuse_unknown("text_cfg", text, _TEXT_KEYS, _USUAL_TEXT)
    tokens, known = len(_tokenizer().encoder), text.get("vocab_size", 49408)
    if tokens != known:
        raise cfft.WeightsError(
            f"format 'hf' takes CLIP's {tokens} tokens, this text tower knows {known}"
        )
    tower: Any = model.classifier.encoder.tower
    common = {
        "hidden_act": "quick_gelu" if is_quick_gelu(model.description) else "gelu",
        "layer_norm_eps": tower.ln_post.eps,
        "projection_dim": config["embed_dim"],
    }
    patch = tower.patch_size[0]
    return CLIPConfig(
        vision_config={
            **common,
            **_sizes(vision, 768, vision.get("head_width", _ATTENTION_HEAD)),
            "image_size": model.preprocessing.size[0],
            "patch_size": patch,
        },
        text_config={
            **common,
            **_sizes(text, 512, text.get("width", 512) // text.get("heads", 8)),
            "vocab_size": tokens,
            "max_position_embeddings": text.get("context_length", 77),
        },
        projection_dim=config["embed_dim"],
        id2label=dict(enumerate(model.classes)),
    )


def _sizes(config: Mapping[str, Any], usual_width: int, head_width: int) -> dict[str, int]:
    width = config.get("width", usual_width)
    return {
        "hidden_size": width,
        "intermediate_size": int(width * config.get("mlp_ratio", _MLP)),
        "num_hidden_layers": config.get("layers", 12),
        "num_attention_heads": width // head_width,
    }


def _refuse_unknown(
    table: str, config: Mapping[str, Any], known: frozenset[str], usual: Mapping[str, Any]
) -> None:
    """Raise WeightsError for settings that open_clip has and CLIPModel has not."""
    other = [
        f"{key} = {value}"
        for key, value in config.items()
        if key not in known and not (key in usual and value == usual[key])
    ]
    if other:
        raise cfft.WeightsError(
            f"format 'hf' has no place for this CLIP: CLIPModel lacks {', '.join(other)} "
            f"({table}): choose open_clip or onnx"
        )


def _renamed(model: cfft.ExportSource) -> Iterator[tuple[str, Tensor]]:
    """Go through the weights of both towers under the names that CLIPModel has."""
    for name, tensor in tower_weights(model).items():
        if name == "proj":
            yield "visual_projection.weight", tensor.T
        else:
            yield from _in_tower("vision_model.", name, tensor, _VISION)
    for name, tensor in text_weights(model).items():
        bare = name.removeprefix("text.")
        if bare == "logit_scale":
            yield bare, tensor.reshape(())
        elif bare == "text_projection":
            yield "text_projection.weight", tensor.T
        else:
            yield from _in_tower("text_model.", bare, tensor, _TEXT)


def _in_tower(
    tower: str, name: str, tensor: Tensor, begins: tuple[tuple[str, str], ...]
) -> Iterator[tuple[str, Tensor]]:
    for ours, theirs in begins:
        if name.startswith(ours):
            name = f"{tower}{theirs}{name.removeprefix(ours)}"
            break
    for ours, theirs in _IN_A_BLOCK:
        name = name.replace(ours, theirs)
    stacked, kind = name.partition(".in_proj_")[::2]
    if not kind:
        yield name, tensor
        return
    for letter, part in zip("qkv", tensor.chunk(3), strict=True):  # three of [C, C]
        yield f"{stacked}.{letter}_proj.{kind}", part


def _processor(model: cfft.ExportSource) -> Any:
    """Return what turns images and prompts into the model's input, as cfft and open_clip do."""
    from transformers import CLIPImageProcessor, CLIPProcessor, CLIPTokenizer

    prepared, clip = model.preprocessing, _tokenizer()
    height, width = prepared.size
    images = CLIPImageProcessor(
        size={"shortest_edge": prepared.resize},
        crop_size={"height": height, "width": width},
        resample=_resampling(prepared.interpolation),
        image_mean=list(prepared.mean),
        image_std=list(prepared.std),
    )
    special = {"<start_of_text>": _START, "<end_of_text>": _END}
    tokens = CLIPTokenizer(
        vocab={special.get(token, token): number for token, number in clip.encoder.items()},
        merges=list(clip.bpe_ranks),
        model_max_length=model_config(model)["text_cfg"].get("context_length", 77),
    )
    return CLIPProcessor(images, tokens)


def _resampling(name: str) -> int:
    from PIL import Image

    found = getattr(Image.Resampling, name.upper(), None)
    if found is None:
        raise cfft.WeightsError(f"format 'hf' has no place for the interpolation '{name}'")
    return int(found)


def _tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep transformers' progress bars off the terminal, as they were afterwards."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
