"""Create timm models by name and give them weights."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import attrs

import cfft
from cfft_backbones.hub import fetch
from cfft_backbones.open_clip.layouts import is_clip
from cfft_backbones.positions import PatchGrids, only_differ_in, require_same_model

if TYPE_CHECKING:
    from torch import Tensor

_WEIGHT_NAMES = ("model.safetensors", "pytorch_model.bin")
_DEFAULT_TAG = "timm"
_SEED = 0
_POSITIONS = "pos_embed"
_SIZE = "@"


def with_size(name: str, size: int | None) -> str:
    """Return a name that also says the size of images, as models are stored; None adds nothing."""
    return name if size is None else f"{name}{_SIZE}{size}"


def split_size(name: str) -> tuple[str, int | None]:
    """Return timm's name and the size of images in what `with_size` made."""
    plain, sign, size = name.rpartition(_SIZE)
    return (plain, int(size)) if sign and size.isdecimal() else (name, None)


def full_name(name: str, tag: str | None) -> str:
    """Return timm's name for model `name` with the weights `tag`, `timm` standing for its default.

    Raises ConfigError for a model or a tag that timm does not know.
    """
    import timm

    architecture, _, named_tag = name.partition(".")
    if not timm.is_model(architecture):
        raise cfft.ConfigError(_unknown_model(architecture))
    wanted = named_tag if tag in (None, _DEFAULT_TAG) else tag
    tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{architecture}.*")]
    if wanted and wanted not in tags:
        message = cfft.unknown_name(f"weights of timm:{architecture}", wanted, tags, "tags")
        raise cfft.ConfigError(f"{message}; or a path to a weight file")
    return f"{architecture}.{wanted}" if wanted else architecture


def create(name: str, **settings: Any) -> Any:
    """Return timm's model with random values, the same ones every time.

    Global randomness is left as it was.
    """
    import timm
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return timm.create_model(name, **settings).eval()


def outline(name: str, **settings: Any) -> Any:
    """Return timm's model without values, on the meta device: cheap at any size."""
    import torch

    with torch.device("meta"):
        return create(name, num_classes=0, **settings)


def load_file(
    name: str,
    file: cfft.WeightFile,
    facts: Mapping[str, str],
    grids: PatchGrids,
    **settings: Any,
) -> tuple[Any, tuple[int, int]]:
    """Return the model with the weights of a file, and with its classifier if it holds one.

    What a run of cfft stores is taken too, if it was of a model with the same `facts`. Beside it
    stands the patch grid of the file's positional embeddings, which are interpolated where `grids`
    say so. Raises WeightsError where anything does not fit.
    """
    require_same_model(file, facts, grids)
    tensors = {key.removeprefix("visual."): file.tensors[key] for key in file.tensors}
    model = create(name, num_classes=_classes(tensors), **settings)
    tensors, grid = _interpolated(model, tensors, file, grids)
    try:
        cfft.require_weights_fit(
            model.state_dict(), attrs.evolve(file, tensors=tensors), f"timm:{name}"
        )
    except cfft.WeightsError as error:
        raise cfft.WeightsError(f"{error}{_hint(model, tensors, file, grids)}") from error
    model.load_state_dict(tensors)
    return model, grid


def _interpolated(
    model: Any, tensors: dict[str, Tensor], file: cfft.WeightFile, grids: PatchGrids
) -> tuple[dict[str, Tensor], tuple[int, int]]:
    """Bring positional embeddings to the model's grid as timm does; return theirs too."""
    from timm.layers import resample_abs_pos_embed

    found = tensors.get(_POSITIONS)
    if found is None or found.ndim != 3:
        return tensors, grids.now
    prefix = _prefix_positions(model)
    grid = grids.in_file(file, found.shape[1] - prefix)
    if grid == grids.now:
        return tensors, grid
    resized = resample_abs_pos_embed(found, list(grids.now), list(grid), prefix)
    return {**tensors, _POSITIONS: resized}, grid


def _prefix_positions(model: Any) -> int:
    return 0 if model.no_embed_class else int(model.num_prefix_tokens)


def _hint(model: Any, tensors: dict[str, Tensor], file: cfft.WeightFile, grids: PatchGrids) -> str:
    if is_clip(file.tensors):
        return "; looks like an open_clip model: use --model NAME, without timm:"
    resized = only_differ_in(_POSITIONS, model.state_dict(), tensors)
    patches = tensors[_POSITIONS].shape[1] - _prefix_positions(model) if resized else 0
    return grids.hint(patches)


def download(name: str, **settings: Any) -> Any:
    """Return the model with the weights of its tag, from the cache or the hub.

    Raises WeightsError where they are in neither, or belong to another activation.
    """
    from timm.models import get_pretrained_cfg

    facts = get_pretrained_cfg(name)
    if facts is None or not facts.hf_hub_id:
        raise cfft.WeightsError(f"timm has no weights for '{name}' on the hub; give a weight file")
    _refuse_wrong_activation(name, facts.notes or ())
    names = [facts.hf_hub_filename] if facts.hf_hub_filename else _WEIGHT_NAMES
    path = fetch(facts.hf_hub_id, names, f"weights of timm:{name}")
    overlay = {"file": str(path), "custom_load": False}
    return create(name, pretrained=True, pretrained_cfg_overlay=overlay, **settings)


def _classes(tensors: Mapping[str, Tensor]) -> int:
    return len(tensors["head.weight"]) if "head.weight" in tensors else 0


def _refuse_wrong_activation(name: str, notes: tuple[str, ...]) -> None:
    if "_quickgelu_" not in name and any("QuickGELU" in note for note in notes):
        import timm

        other = name.replace("_clip_", "_clip_quickgelu_")
        known = other in (*timm.list_models(), *timm.list_pretrained())
        remedy = f"use --model timm:{other}" if known else "take them as open_clip has them"
        raise cfft.WeightsError(
            f"the weights of timm:{name} need the activation QuickGELU; {remedy}"
        )


def _unknown_model(name: str) -> str:
    import timm

    close = get_close_matches(name, timm.list_models(), n=5)
    message = cfft.unknown_name("timm model", name, close, "similar")
    return f"{message}; timm.list_models() gives all {len(timm.list_models())}"
