"""Write the counterfactual step plainly, as the yardstick of benchmarks/step.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, mse_loss

import cfft


class PlainStep(nn.Module):
    """Compute cross-entropy and feature error with three student passes.

    open_clip's own forward serves the clean and the counterfactual pass; where `mask` looks at a
    map, a third pass holds every attention map for it. Dropped tokens are computed and hidden from
    attention. Parameters are shared with the classifiers given.
    """

    def __init__(
        self,
        student: cfft.Classifier,
        teacher: cfft.Classifier,
        mask: cfft.MaskSelector,
        fill: cfft.Refiller,
    ) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        self.mask, self.fill = mask, fill

    def forward(
        self, images: Tensor, labels: Tensor, draw: Callable[[str], torch.Generator]
    ) -> dict[str, Tensor]:
        """Return both terms, un-weighted."""
        logits = self.student.head(_features(self.student.encoder, images))
        batch = cfft.Batch(images, labels)
        made = self.fill.refill(batch, self._selection(batch, draw("mask")), draw("fill"))
        with torch.no_grad():
            target = _features(self.teacher.encoder, made.images, made.dropped)
        followed = _features(self.student.encoder, made.images, made.dropped)
        return {"ce": cross_entropy(logits, labels), "feature-mse": mse_loss(followed, target)}

    def _selection(self, batch: cfft.Batch, rng: torch.Generator) -> cfft.MaskSelection:
        def scores() -> Tensor:
            found = _relevance(self.student, batch.images, batch.labels)  # [B, gh, gw]
            return found / (found.amax(dim=(1, 2), keepdim=True) + 1e-8)

        view = SimpleNamespace(grid=self.student.encoder.grid, rng=rng, scores=scores)
        return self.mask.select(batch, view)


def _features(encoder: cfft.Encoder, images: Tensor, dropped: Tensor | None = None) -> Tensor:
    if dropped is None:
        features: Tensor = encoder.tower((images - encoder.mean) / encoder.std)
        return features
    before, encoder.execution = encoder.execution, "mask"
    masked: Tensor = encoder(images, dropped)
    encoder.execution = before
    return masked


def _relevance(model: cfft.Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """Multiply whole relevance matrices R [B, T, T], first layer first."""
    logits, maps = _logits_and_maps(model, images)
    gradients = torch.autograd.grad(logits.gather(1, labels[:, None]).sum(), maps)
    tokens = maps[0].shape[-1]
    total = torch.eye(tokens, device=images.device).expand(len(images), tokens, tokens)
    for attention, gradient in zip(maps, gradients, strict=True):
        total = total + (attention * gradient).clamp(min=0).mean(dim=1).detach() @ total
    return total[:, 0, 1:].unflatten(1, model.encoder.grid)


def _logits_and_maps(model: cfft.Classifier, images: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
    tower, maps = model.encoder.tower, []
    tokens = tower._embeds((images - model.encoder.mean) / model.encoder.std)
    for block in tower.transformer.resblocks:
        attended, attention = _attend(block.attn, block.ln_1(tokens))
        maps.append(attention)
        tokens = tokens + block.ls_1(attended)
        tokens = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
    return model.head(tower.ln_post(tokens)[:, 0] @ tower.proj), maps


def _attend(attn: nn.MultiheadAttention, normed: Tensor) -> tuple[Tensor, Tensor]:
    """Return attention's output [B, T, C] and its maps [B, heads, T, T]."""
    stacked = linear(normed, attn.in_proj_weight, attn.in_proj_bias).chunk(3, dim=-1)
    q, k, v = (part.unflatten(-1, (attn.num_heads, -1)).transpose(1, 2) for part in stacked)
    attention = (q @ k.mT * attn.head_dim**-0.5).softmax(dim=-1)
    return attn.out_proj((attention @ v).transpose(1, 2).flatten(2)), attention
