"""Build open_clip models and copy weights into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

import cfft
from cfft_backbones.open_clip import layouts
from cfft_backbones.open_clip.configs import other_tower
from cfft_backbones.positions import PatchGrids, only_differ_in
from cfft_backbones.shared import pair

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cfft_backbones.open_clip.configs import Architecture

# open_clip's CLIP class wants a text tower; this one costs nothing and is thrown away
_NO_TEXT = {"layers": 1, "width": 8, "heads": 1, "vocab_size": 1, "context_length": 1}
_SEED = 0
_POSITIONS = "visual.positional_embedding"


def build_model(architecture: Architecture) -> Any:
    """Return open_clip's model with random values, the same ones every time, in float32.

    Global randomness is left as it was. Raises WeightsError for towers of other libraries and
    ConfigError for a config that open_clip does not take.
    """
    import open_clip
    import torch

    _refuse_other_towers(architecture)
    config = dict(architecture.model)
    custom = config.pop("custom_text", False) and architecture.reads_text
    config["vision_cfg"] = {**config["vision_cfg"], "patch_dropout": 0.0}
    config["text_cfg"] = config["text_cfg"] if architecture.reads_text else _NO_TEXT
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        try:
            return kind(**config).eval()
        except Exception as error:  # a wrong value surfaces anywhere in open_clip
            raise cfft.ConfigError(
                f"model config {architecture.label} is not one that open_clip takes: {error}"
            ) from error


@attrs.frozen
class LoadedWeights:
    """Say what a file gave a model: whether weights of the text tower, and from which patch grid.

    `interpolated_from`: that of its positional embeddings, None where they fitted as they are.
    """

    has_text: bool
    interpolated_from: tuple[int, int] | None = None


def patch_grids(model: Any, architecture: Architecture) -> PatchGrids:
    """Return the patch grid of the model, and the one of its architecture without --image-size."""
    patch, now = pair(model.visual.patch_size), pair(model.visual.grid_size)
    size = architecture.usual_size
    usual = now if size is None else (size[0] // patch[0], size[1] // patch[1])
    return PatchGrids(patch, now, usual, size is not None)


def load_weights(
    model: nn.Module, file: cfft.WeightFile, architecture: Architecture
) -> LoadedWeights:
    """Copy a file of any layout into `model`; return what it gave.

    Every tensor of the vision tower has to fit, and of the text tower where the file has one;
    positional embeddings of another grid only where --image-size asks for that. Raises
    WeightsError.
    """
    grids = patch_grids(model, architecture)
    tensors, grid = _interpolated(model, layouts.to_open_clip(file.tensors), file, grids)
    has_text = architecture.reads_text and layouts.has_text(tensors)
    wanted = model.state_dict()
    if has_text:
        tensors = layouts.in_text_module(tensors) if hasattr(model, "text") else tensors
        tensors = _scalars_like(wanted, tensors)
    else:
        tensors, wanted = layouts.vision_part(tensors), layouts.vision_part(wanted)
    try:
        cfft.require_weights_fit(wanted, attrs.evolve(file, tensors=tensors), architecture.label)
    except cfft.WeightsError as error:
        raise cfft.WeightsError(f"{error}{_hint(wanted, tensors, file, grids)}") from error
    model.load_state_dict(tensors, strict=False)
    return LoadedWeights(has_text, None if grid == grids.now else grid)


def _interpolated(
    model: Any, tensors: dict[str, Tensor], file: cfft.WeightFile, grids: PatchGrids
) -> tuple[dict[str, Tensor], tuple[int, int]]:
    """Bring positional embeddings to the model's grid as open_clip does; return theirs too."""
    from open_clip.model import resize_pos_embed

    found = tensors.get(_POSITIONS)
    if found is None or found.ndim != 2:
        return tensors, grids.now
    grid = grids.in_file(file, len(found) - 1)
    if grid == grids.now:
        return tensors, grid
    resized = {_POSITIONS: found.float()}
    resize_pos_embed(resized, model)  # in place
    return {**tensors, **resized}, grid


def _hint(
    wanted: dict[str, Tensor],
    tensors: dict[str, Tensor],
    file: cfft.WeightFile,
    grids: PatchGrids,
) -> str:
    if layouts.is_timm(file.tensors):
        return "; looks like a timm model: use --model timm:NAME"
    resized = only_differ_in(_POSITIONS, wanted, tensors)
    return grids.hint(len(tensors[_POSITIONS]) - 1) if resized else ""


def _refuse_other_towers(architecture: Architecture) -> None:
    other = other_tower(architecture.model)
    if other is not None:
        raise cfft.WeightsError(
            f"model '{architecture.label}' cannot be used: its image tower is {other}, not a plain "
            "vision transformer with a class token; models that work: ViT-B-32, ViT-B-16, "
            "ViT-L-14, ViT-H-14 and their variants"
        )


def _scalars_like(wanted: dict[str, Tensor], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Bring one-element tensors into shape: files hold the scale as [] or as [1]."""
    return {
        key: tensor.reshape(wanted[key].shape)
        if key in wanted and tensor.numel() == wanted[key].numel() == 1
        else tensor
        for key, tensor in tensors.items()
    }
