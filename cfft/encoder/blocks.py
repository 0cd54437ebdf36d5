"""Run one transformer block, and drop tokens before the first."""

from __future__ import annotations

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor

from cfft.encoder.towers import Block

_SHORT = 197  # tokens: as far as it was measured; maps grow with the square of their number


@attrs.frozen(eq=False)
class LayerCapture:
    """Hold one layer's attention, in the graph and before its output projection.

    `normed`: [B, T, C], what attention reads: the tokens after the block's first norm.
    `queries`: [B, heads, Q, d], where Q = T, but 1 (the class token) in the last layer.
    `keys` and `values`: [B, heads, T, d]. `attended`: [B, heads, Q, d], attention times values.
    """

    normed: Tensor
    queries: Tensor
    keys: Tensor
    values: Tensor
    attended: Tensor

    def attention(self) -> Tensor:
        """Materialise the attention map [B, heads, Q, T] in float32, detached."""
        with torch.no_grad(), torch.autocast(self.queries.device.type, enabled=False):
            scaled = self.queries.float() * self.queries.shape[-1] ** -0.5
            attention: Tensor = (scaled @ self.keys.float().mT).softmax(dim=-1)
            return attention


@attrs.define(eq=False)
class Capture:
    """Collect what class activation maps need from one forward pass.

    `layers`: one entry per block, first to last. `prefix_tokens`: tokens before the patches, class
    token first. `grid`: (gh, gw). Encoding again replaces everything.
    """

    layers: list[LayerCapture] = attrs.field(factory=list)
    prefix_tokens: int = 1
    grid: tuple[int, int] = (0, 0)

    def begin(self, prefix_tokens: int, grid: tuple[int, int]) -> None:
        """Forget the last pass."""
        self.layers, self.prefix_tokens, self.grid = [], prefix_tokens, grid


def run_block(
    block: Block, tokens: Tensor, mask: Tensor | None, queries: int | None = None
) -> tuple[Tensor, LayerCapture]:
    """Return the first `queries` tokens (all if None) after the block, [B, Q, C], and its layer."""
    normed = block.norm_1(tokens)  # [B, T, C]
    q, k, v = _queries_keys_values(block, normed, queries)
    attended = attend(q, k, v, mask)  # [B, heads, Q, d]
    joined = block.inner_norm(attended.transpose(1, 2).flatten(2))  # [B, Q, A]
    tokens = tokens[:, :queries] + block.scale_1(block.out(joined))
    updated: Tensor = tokens + block.scale_2(block.mlp(block.norm_2(tokens)))
    return updated, LayerCapture(normed, q, k, v, attended)


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Return attention times values: [B, heads, Q, d], by torch's fused kernel where that is fast.

    `mask`: [B, 1, 1, T], bool, True = this key is seen. In bfloat16 on a CPU the kernel's backward
    pass takes several times as long as plain matrix products (docs/performance.md). These are taken
    for up to 197 tokens there; scores are then rounded to bfloat16.
    """
    is_slow = values.device.type == "cpu" and values.dtype == torch.bfloat16
    if not is_slow or values.shape[-2] > _SHORT:
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    scores = (queries * queries.shape[-1] ** -0.5) @ keys.mT  # [B, heads, Q, T]
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    with torch.autocast("cpu", enabled=False):  # it would keep the map in float32
        attention = scores.softmax(dim=-1)
    products: Tensor = attention @ values
    return products


def _queries_keys_values(
    block: Block, normed: Tensor, queries: int | None
) -> tuple[Tensor, Tensor, Tensor]:
    if queries is None:
        q, k, v = F.linear(normed, block.in_weight, block.in_bias).chunk(3, dim=-1)
    else:
        split = block.in_weight.shape[0] // 3
        q_bias, kv_bias = (None, None) if block.in_bias is None else _halves(block.in_bias, split)
        q_weight, kv_weight = _halves(block.in_weight, split)
        q = F.linear(normed[:, :queries], q_weight, q_bias)
        k, v = F.linear(normed, kv_weight, kv_bias).chunk(2, dim=-1)
    q, k, v = (_split_heads(part, block.heads) for part in (q, k, v))
    return block.query_norm(q), block.key_norm(k), v


def _split_heads(joined: Tensor, heads: int) -> Tensor:
    return joined.view(*joined.shape[:-1], heads, -1).transpose(1, 2)  # [B, heads, T, d]


def _halves(stacked: Tensor, split: int) -> tuple[Tensor, Tensor]:
    return stacked[:split], stacked[split:]


def gather_kept(
    tokens: Tensor, dropped: Tensor, per_image: int | None, prefix: int
) -> tuple[Tensor, Tensor | None]:
    """Return the kept tokens [B, prefix + n, C], and a key mask where images keep fewer than n.

    `dropped`: [B, P]. n is the largest number kept in the batch. Without `per_image` that number
    is read from the device. Tokens stay in their order; what fills up is masked.
    """
    kept = ~dropped
    most, fewest = _kept_range(kept, per_image)
    order = dropped.to(torch.uint8).argsort(dim=1, stable=True)[:, :most]  # kept first
    first = torch.arange(prefix, device=tokens.device).expand(len(tokens), -1)
    index = torch.cat([first, order + prefix], dim=1)[..., None]
    gathered = tokens.gather(1, index.expand(-1, -1, tokens.shape[-1]))  # [B, prefix + n, C]
    return gathered, None if most == fewest else key_mask(kept.gather(1, order), prefix)


def _kept_range(kept: Tensor, dropped_per_image: int | None) -> tuple[int, int]:
    if dropped_per_image is not None:
        return (kept.shape[1] - dropped_per_image,) * 2
    counts = kept.sum(dim=1)
    return int(counts.max()), int(counts.min())


def key_mask(kept: Tensor, prefix: int) -> Tensor:
    """Let attention see the `prefix` tokens and the `kept` [B, P] ones: [B, 1, 1, T]."""
    return F.pad(kept, (prefix, 0), value=True)[:, None, None]


def with_graph(tokens: Tensor) -> Tensor:
    """Make maps possible where nothing below wants gradients."""
    if torch.is_grad_enabled() and not tokens.requires_grad:
        return tokens.detach().requires_grad_()
    return tokens
