"""Vision transformers of open_clip and timm, their parts under common names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import attrs
from torch import Tensor, nn

from cfft.encoder.layers import (
    BlockWeight,
    EncoderBlock,
    EncoderLayers,
    encoder_block,
    linear,
    with_parameters,
)
from cfft.errors import WeightsError

_WORKING = (
    "cfft works with open_clip's VisionTransformer (such as ViT-B-32, ViT-B-16, ViT-L-14) and "
    "timm's (such as vit_tiny_patch16_224, deit3_small_patch16_224), pooled by class token"
)
_NONE = nn.Identity()


@attrs.frozen(eq=False)
class Block:
    """Name the parts of one pre-norm transformer block, whichever library built it.

    `in_weight`: [3 * A, C], queries, keys and values stacked, A = heads * head width.
    `in_bias`: [3 * A] or None. `inner_norm` acts on the joined heads [.., A] before `out`.
    """

    heads: int
    norm_1: nn.Module
    in_weight: Tensor
    in_bias: Tensor | None
    out: nn.Module
    scale_1: nn.Module
    norm_2: nn.Module
    mlp: nn.Module
    scale_2: nn.Module
    query_norm: nn.Module = _NONE
    key_norm: nn.Module = _NONE
    inner_norm: nn.Module = _NONE


class Parts(Protocol):
    """Read a tower through names that both libraries share.

    It holds no parameters: each is read from the tower when needed.
    `prefix_tokens`: number of tokens before the patches; the class token is the first of them.
    """

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def patch(self) -> tuple[int, int]: ...

    @property
    def dim(self) -> int: ...

    @property
    def prefix_tokens(self) -> int: ...

    def embed(self, images: Tensor) -> Tensor:
        """Turn normalised images [B, 3, H, W] into the first block's tokens [B, T, C]."""

    def blocks(self) -> Sequence[Block]:
        """Return the blocks in the order in which they run."""

    def pool(self, class_token: Tensor) -> Tensor:
        """Turn the last block's class token [B, C] into features [B, D]."""

    def layers(self) -> EncoderLayers:
        """Return the parts that adaptations choose from."""


@attrs.frozen(eq=False)
class OpenClipParts:
    """Read open_clip's `VisionTransformer`."""

    tower: Any

    @property
    def size(self) -> tuple[int, int]:
        return _pair(self.tower.image_size)

    @property
    def patch(self) -> tuple[int, int]:
        return _pair(self.tower.patch_size)

    @property
    def dim(self) -> int:
        last = self.tower.ln_post.weight if self.tower.proj is None else self.tower.proj
        return int(last.shape[-1])

    @property
    def prefix_tokens(self) -> int:
        return 1

    def embed(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.tower._embeds(images)
        return tokens

    def blocks(self) -> Sequence[Block]:
        return [_open_clip_block(block) for block in self.tower.transformer.resblocks]

    def pool(self, class_token: Tensor) -> Tensor:
        pooled: Tensor = self.tower.ln_post(class_token)
        return pooled if self.tower.proj is None else pooled @ self.tower.proj

    def layers(self) -> EncoderLayers:
        tower, blocks = self.tower, self.tower.transformer.resblocks
        within = (norm for block in blocks for norm in (block.ln_1, block.ln_2))
        projection = () if tower.proj is None else (tower.proj,)
        return EncoderLayers(
            tuple(map(_open_clip_layers, blocks)),
            with_parameters(tower.ln_pre, *within, tower.ln_post),
            (*tower.ln_post.parameters(), *projection),
        )


@attrs.frozen(eq=False)
class TimmParts:
    """Read timm's `VisionTransformer`; its own classifier is no part of the features."""

    tower: Any

    @property
    def size(self) -> tuple[int, int]:
        return _pair(self.tower.patch_embed.img_size)

    @property
    def patch(self) -> tuple[int, int]:
        return _pair(self.tower.patch_embed.patch_size)

    @property
    def dim(self) -> int:
        return int(self.tower.num_features)

    @property
    def prefix_tokens(self) -> int:
        return int(self.tower.num_prefix_tokens)

    def embed(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.tower._pos_embed(self.tower.patch_embed(images))
        normed: Tensor = self.tower.norm_pre(tokens)
        return normed

    def blocks(self) -> Sequence[Block]:
        return [_timm_block(block) for block in self.tower.blocks]

    def pool(self, class_token: Tensor) -> Tensor:
        features: Tensor = self.tower.fc_norm(self.tower.norm(class_token))
        return features

    def layers(self) -> EncoderLayers:
        tower = self.tower
        within = (norm for block in tower.blocks for norm in _timm_norms(block))
        return EncoderLayers(
            tuple(map(_timm_layers, tower.blocks)),
            with_parameters(tower.norm_pre, *within, tower.norm, tower.fc_norm),
            (*tower.norm.parameters(), *tower.fc_norm.parameters()),
        )


def reader(tower: nn.Module) -> type[OpenClipParts] | type[TimmParts]:
    """Return the class that reads `tower`; raises WeightsError for a tower that cfft cannot run."""
    parts = _reader_of(tower)
    _check_rates(tower)
    _check_patches(tower, parts(tower))
    return parts


def open_clip_tower(
    *,
    size: tuple[int, int],
    patch: tuple[int, int],
    width: int,
    layers: int,
    heads: int,
    dim: int,
    mlp_ratio: float = 4.0,
    quick_gelu: bool = False,
) -> nn.Module:
    """Build open_clip's `VisionTransformer` with random values from the global generator.

    `size` of images and `patch` in pixels, (height, width). `width`: channels of a token,
    `dim`: length of the features, `mlp_ratio`: hidden channels of a block's MLP per channel.
    """
    from open_clip.transformer import QuickGELU, VisionTransformer

    tower: nn.Module = VisionTransformer(
        image_size=size,
        patch_size=patch,
        width=width,
        layers=layers,
        heads=heads,
        mlp_ratio=mlp_ratio,
        act_layer=QuickGELU if quick_gelu else nn.GELU,
        output_dim=dim,
    )
    return tower


def _reader_of(tower: nn.Module) -> type[OpenClipParts] | type[TimmParts]:
    match type(tower).__module__.partition(".")[0]:
        case "open_clip":
            return _check_open_clip(tower)
        case "timm":
            return _check_timm(tower)
        case library:
            raise _refusal(tower, f"it comes from '{library}'")


def _check_open_clip(tower: Any) -> type[OpenClipParts]:
    from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

    if type(tower) is not VisionTransformer:
        raise _refusal(tower, "it is another architecture")
    if tower.attn_pool is not None or tower.pool_type != "tok":
        raise _refusal(tower, "its features are not the class token's")
    for block in tower.transformer.resblocks:
        if type(block) is not ResidualAttentionBlock:
            raise _refusal(tower, f"its blocks are {type(block).__name__}")
    return OpenClipParts


def _check_timm(tower: Any) -> type[TimmParts]:
    from timm.layers import Attention, PatchEmbed
    from timm.models.vision_transformer import Block as TimmBlock
    from timm.models.vision_transformer import VisionTransformer

    if type(tower) is not VisionTransformer:
        raise _refusal(tower, "it is another architecture")
    if tower.global_pool != "token" or tower.attn_pool is not None:
        raise _refusal(tower, f"its features are pooled by '{tower.global_pool}', not 'token'")
    if type(tower.patch_embed) is not PatchEmbed:
        raise _refusal(tower, f"its patches come from {type(tower.patch_embed).__name__}")
    for block in tower.blocks:
        if type(block) is not TimmBlock or type(block.attn) is not Attention:
            raise _refusal(tower, f"its blocks are {type(block).__name__}")
        if getattr(block.attn, "gate", None) is not None:
            raise _refusal(tower, "its attention is gated")
    return TimmParts


_RATES = {
    "Dropout": "p",
    "DropPath": "drop_prob",
    "MultiheadAttention": "dropout",
    "PatchDropout": "prob",
}


def _check_rates(tower: nn.Module) -> None:
    for name, module in tower.named_modules():
        attribute = _RATES.get(type(module).__name__)
        if attribute and getattr(module, attribute) > 0:
            raise _refusal(
                tower,
                f"{name} drops at random with {attribute}={getattr(module, attribute)}; "
                "build it with every dropout rate 0",
            )


def _check_patches(tower: nn.Module, parts: Parts) -> None:
    if any(length % step for length, step in zip(parts.size, parts.patch, strict=True)):
        raise _refusal(tower, f"{parts.size} pixels are no whole number of patches {parts.patch}")


def _refusal(tower: nn.Module, reason: str) -> WeightsError:
    return WeightsError(f"cannot use {type(tower).__name__} as encoder: {reason}; {_WORKING}")


def _open_clip_block(block: Any) -> Block:
    return Block(
        heads=block.attn.num_heads,
        norm_1=block.ln_1,
        in_weight=block.attn.in_proj_weight,
        in_bias=block.attn.in_proj_bias,
        out=block.attn.out_proj,
        scale_1=block.ls_1,
        norm_2=block.ln_2,
        mlp=block.mlp,
        scale_2=block.ls_2,
    )


def _timm_block(block: Any) -> Block:
    return Block(
        heads=block.attn.num_heads,
        norm_1=block.norm1,
        in_weight=block.attn.qkv.weight,
        in_bias=block.attn.qkv.bias,
        out=block.attn.proj,
        scale_1=block.ls1,
        norm_2=block.norm2,
        mlp=block.mlp,
        scale_2=block.ls2,
        query_norm=block.attn.q_norm,
        key_norm=block.attn.k_norm,
        inner_norm=block.attn.norm,
    )


def _open_clip_layers(block: Any) -> EncoderBlock:
    attention = block.attn
    bias = None if attention.in_proj_bias is None else "in_proj_bias"
    stacked = BlockWeight("attention-in", attention, "in_proj_weight", bias, stacked=3)
    return encoder_block(block, stacked, attention.out_proj, block.mlp)


def _timm_layers(block: Any) -> EncoderBlock:
    stacked = linear("attention-in", block.attn.qkv, stacked=3)
    return encoder_block(block, stacked, block.attn.proj, block.mlp)


def _timm_norms(block: Any) -> Sequence[Any]:
    attention, inner = block.attn, getattr(block.mlp, "norm", None)
    own = (attention.q_norm, attention.k_norm, attention.norm)
    return block.norm1, *own, block.norm2, inner


def _pair(value: Sequence[int]) -> tuple[int, int]:
    height, width = value
    return int(height), int(width)
