"""Encode images with a vision transformer: capture for maps, drop tokens, waste nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from cfft.encoder.adapters import in_graph, is_of_adapter, own_tensor, plain
from cfft.encoder.blocks import Capture, LayerCapture, gather_kept, key_mask, run_block, with_graph
from cfft.encoder.fit import differences
from cfft.encoder.layers import EncoderLayers
from cfft.encoder.towers import Block, Parts, reader
from cfft.errors import WeightsError
from cfft.records import Encoded, Preprocessing

__all__ = ["Capture", "Classifier", "Encoder", "Execution", "Head", "LayerCapture"]

Execution = Literal["auto", "gather", "mask"]


class Encoder(nn.Module):
    """Run a vision transformer's blocks on its own parameters.

    `tower`: open_clip's or timm's VisionTransformer; its names, values and `state_dict` stay its
    own. Train and eval mode agree: nothing here is random. `execution` says how tokens are
    dropped: "gather" computes only the kept ones, "mask" computes all and hides the dropped
    from attention, "auto" gathers wherever that asks the device nothing. The features agree.
    `checkpointed`: whether a backward pass computes each block again instead of keeping its
    activations (activation checkpointing, Chen et al. 2016); False unless it is set. Features and
    gradients are the same, bit for bit on one device.

    Raises WeightsError for a tower that cannot be run so, or of another size than `preprocessing`.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, tower: nn.Module, preprocessing: Preprocessing, execution: Execution = "auto"
    ) -> None:
        super().__init__()
        self._reader = reader(tower)
        self.tower = tower
        self.execution = execution
        self.checkpointed = False
        self._check_size(preprocessing.size)
        for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    @property
    def _parts(self) -> Parts:
        return self._reader(self.tower)

    @property
    def grid(self) -> tuple[int, int]:
        """Patches per column and per row: (gh, gw)."""
        (height, width), (patch_height, patch_width) = self._parts.size, self.patch
        return height // patch_height, width // patch_width

    @property
    def patch(self) -> tuple[int, int]:
        """Height and width of a patch in pixels."""
        return self._parts.patch

    @property
    def dim(self) -> int:
        """Length D of the feature vector."""
        return self._parts.dim

    def layers(self) -> EncoderLayers:
        """Return blocks with their linear weights, norms and output under common names."""
        return self._parts.layers()

    def forward(
        self,
        images: Tensor,
        dropped: Tensor | None = None,
        dropped_per_image: int | None = None,
        capture: Capture | None = None,
    ) -> Tensor:
        """Return features [B, D], un-normalised.

        `images`: [B, 3, H, W] in 0..1; mean and std are applied here. `dropped`: [B, gh, gw],
        bool, True = this token does not exist; the class token always does.
        `dropped_per_image`: how many are True in every image, where the host knows it.
        `capture` is filled for maps; it excludes `dropped`. With gradients enabled it holds a
        graph even if no parameter wants gradients. Raises ValueError on shapes that do not fit.
        """
        self._check_images(images)
        parts = self._parts
        tokens = parts.embed((images - self.mean) / self.std)  # [B, T, C]
        mask = None
        if dropped is not None:
            self._check_dropped(dropped, dropped_per_image, len(images), capture)
            tokens, mask = self._drop(tokens, dropped.flatten(1), dropped_per_image)
        if capture is not None:
            tokens = with_graph(tokens)
            capture.begin(parts.prefix_tokens, self.grid)
        *blocks, last = parts.blocks()
        for block in blocks:
            tokens = self._run(block, tokens, mask, capture)
        class_token = self._run(last, tokens, mask, capture, queries=1)  # [B, 1, C]
        return parts.pool(class_token[:, 0])

    def _run(
        self,
        block: Block,
        tokens: Tensor,
        mask: Tensor | None,
        capture: Capture | None,
        queries: int | None = None,
    ) -> Tensor:
        if self.checkpointed and torch.is_grad_enabled():
            tokens, layer = checkpoint(run_block, block, tokens, mask, queries, use_reentrant=False)
        else:
            tokens, layer = run_block(block, tokens, mask, queries)
        if capture is not None:
            capture.layers.append(layer)
        return tokens

    def _drop(
        self, tokens: Tensor, dropped: Tensor, per_image: int | None
    ) -> tuple[Tensor, Tensor | None]:
        asks_nothing = per_image is not None or tokens.device.type == "cpu"
        prefix = self._parts.prefix_tokens
        if self.execution == "gather" or (self.execution == "auto" and asks_nothing):
            return gather_kept(tokens, dropped, per_image, prefix)
        return tokens, key_mask(~dropped, prefix)

    def _check_size(self, size: tuple[int, int]) -> None:
        if tuple(size) != self._parts.size:
            raise WeightsError(
                f"the tower reads images of {self._parts.size} pixels, its preprocessing gives "
                f"{tuple(size)}; build both for one size"
            )

    def _check_images(self, images: Tensor) -> None:
        wanted = (3, *self._parts.size)
        if images.ndim != 4 or tuple(images.shape[1:]) != wanted:
            raise ValueError(f"images must be [B, {_list(wanted)}], got [{_list(images.shape)}]")

    def _check_dropped(
        self, dropped: Tensor, per_image: int | None, images: int, capture: Capture | None
    ) -> None:
        wanted = (images, *self.grid)
        if tuple(dropped.shape) != wanted or dropped.dtype != torch.bool:
            raise ValueError(
                f"dropped must be bool [{_list(wanted)}] (B, gh, gw), "
                f"got {dropped.dtype} [{_list(dropped.shape)}]"
            )
        if per_image is not None and not 0 <= per_image <= dropped[0].numel():
            raise ValueError(
                f"dropped_per_image must be 0..{dropped[0].numel()}, the patches, got {per_image}"
            )
        if capture is not None:
            raise ValueError("a map needs every token: give either dropped or capture, not both")


class Head(nn.Module):
    """Turn features into logits by a linear layer.

    `weight`: [K, D] and `bias`: [K] are copied. `normalised`: whether the features are brought to
    L2 norm 1 first, as CLIP's zero-shot head wants. It computes in the precision of its weight,
    autocast or not: logits near 100 have no decimals in bfloat16.
    """

    def __init__(self, weight: Tensor, bias: Tensor, normalised: bool) -> None:
        super().__init__()
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ValueError(
                "a head's weight must be [K, D] and its bias [K], "
                f"got [{_list(weight.shape)}] and [{_list(bias.shape)}]"
            )
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())
        self.normalised = normalised

    @torch.no_grad()
    def take_weight(self, weight: Tensor) -> None:
        """Copy `weight`, [K, D], in place, under an adapter where it has one."""
        own_tensor(self, "weight").copy_(weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, K] of features [B, D]."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(self.weight.dtype)
            directions = F.normalize(features, dim=-1) if self.normalised else features
            return F.linear(directions, self.weight, self.bias)


class Classifier(nn.Module):
    """Join an encoder and a head into the model that is trained, compared and saved."""

    def __init__(self, encoder: Encoder, head: Head) -> None:
        super().__init__()
        if head.weight.shape[1] != encoder.dim:
            raise WeightsError(
                f"the head reads features of length {head.weight.shape[1]}, "
                f"the encoder gives {encoder.dim}"
            )
        self.encoder = encoder
        self.head = head

    def forward(
        self,
        images: Tensor,
        dropped: Tensor | None = None,
        dropped_per_image: int | None = None,
        capture: Capture | None = None,
    ) -> Encoded:
        """Return features and logits; the arguments are the encoder's.

        Both are in the precision of the head's weight, autocast or not, so that losses are.
        """
        features = self.encoder(images, dropped, dropped_per_image, capture)
        features = features.to(self.head.weight.dtype)
        return Encoded(features, self.head(features))

    def weights(self) -> dict[str, Tensor]:
        """Return parameters and persistent buffers, detached and not copied.

        Keys are `visual.` with the tower's own names, `head.weight` and `head.bias`. A weight with
        an adapter is computed: it is what a plain model needs to give the same features.
        """
        parts = {"visual": self.encoder.tower, "head": self.head}
        return {f"{p}.{key}": value for p, m in parts.items() for key, value in plain(m).items()}

    def named_weights(self) -> dict[str, Tensor]:
        """Return parameters by the names that they have in a plain model, in the graph.

        A weight with an adapter is computed, so that gradients reach the adapter.
        """
        return in_graph(self)

    @property
    def is_adapted(self) -> bool:
        """Tell whether some weight has an adapter, a parametrization of torch."""
        return any(map(parametrize.is_parametrized, self.modules()))

    def adapters(self) -> dict[str, Tensor]:
        """Return what `weights` does not show: adapters, and what they rest on."""
        return {key: value for key, value in self.state_dict().items() if is_of_adapter(key)}

    def load_adapters(self, weights: Mapping[str, Tensor], adapters: Mapping[str, Tensor]) -> None:
        """Copy values into a model with adapters: what `weights` and `adapters` returned.

        Raises WeightsError unless every name and shape is the same.
        """
        plain_part = self._names(weights)
        state = {**plain_part, **adapters}
        own = self.state_dict()
        if problems := differences(own, {key: value for key, value in state.items() if key in own}):
            raise WeightsError(f"adapters of another model: {problems}")
        with torch.no_grad():
            for key, value in own.items():
                value.copy_(state[key])

    def _names(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        within = {"visual": "encoder.tower", "head": "head"}
        split = ((*key.partition("."), value) for key, value in weights.items())
        return {f"{within[part]}.{rest}": value for part, _, rest, value in split}

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copy values in place; raises WeightsError unless every name and shape is the same.

        A model with adapters has no place for plain weights: WeightsError.
        """
        if self.is_adapted:
            raise WeightsError("weights cannot be loaded into a model with adapters")
        own = self.weights()
        if problems := differences(own, weights):
            raise WeightsError(f"weights of another model: {problems}")
        with torch.no_grad():
            for key, value in own.items():
                value.copy_(weights[key])


def _list(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
