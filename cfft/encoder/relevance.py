"""Class activation maps of a vision transformer from what the encoder captured."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cfft.encoder.encoder import Capture, LayerCapture
from cfft.errors import ConfigError

_HALF_PRECISION_SCALE = 2.0**8
"""Factor on a float16 gradient: far from the smallest such number, and exact to undo."""


def relevance_scores(
    capture: Capture, logits: Tensor, labels: Tensor, start_layer: int = 0
) -> Tensor:
    """Trace each true label's logit back to the patches through attention.

    Chefer et al. 2021, "Generic Attention-model Explainability", for a transformer of
    self-attention: R <- R + mean over heads of max(0, dS/dA * A) R, of which only the class
    token's row is followed, from the last layer down, with dS/dA = dS/dO V^T.
    `logits`: [B, K], of the pass that filled `capture`; `labels`: [B], int64. Layers below
    `start_layer` count as the identity. Returns raw scores [B, gh, gw], float32, not negative,
    detached. The graph stays for a later backward pass; no `.grad` is written.
    Raises ConfigError for a layer that does not exist, ValueError where there is no graph.
    """
    layers = _from_layer(_filled(capture), start_layer)
    gradients = _gradients(logits, labels, [layer.attended for layer in layers], _scale(capture))
    with torch.no_grad(), torch.autocast(logits.device.type, enabled=False):
        row = _class_row(layers[-1])
        for layer, gradient in zip(reversed(layers), reversed(gradients), strict=True):
            row = row + _through(row, layer, gradient)
    return _patch_scores(row, capture)


def grad_cam_scores(capture: Capture, logits: Tensor, labels: Tensor) -> Tensor:
    """Weight the last block's normalised input by the mean direction of its gradient.

    Selvaraju et al. 2017, Grad-CAM, with activations a = output of the last block's first norm
    [B, T, C] and weights dS/da summed over tokens: max(0, sum over C of weight * a).
    Arguments, result and errors are those of `relevance_scores`.
    """
    activations = _filled(capture)[-1].normed
    (gradient,) = _gradients(logits, labels, [activations], _scale(capture))
    with torch.no_grad(), torch.autocast(logits.device.type, enabled=False):
        weights = gradient.sum(dim=1, keepdim=True)  # [B, 1, C]
        scores = (weights * activations.float()).sum(dim=-1).clamp(min=0)  # [B, T]
    return _patch_scores(scores, capture)


def _filled(capture: Capture) -> Sequence[LayerCapture]:
    if not capture.layers:
        raise ValueError("the capture is empty: run the encoder with it first")
    return capture.layers


def _scale(capture: Capture) -> float:
    half = capture.layers[-1].values.dtype == torch.float16
    return _HALF_PRECISION_SCALE if half else 1.0


def _from_layer(layers: Sequence[LayerCapture], start: int) -> Sequence[LayerCapture]:
    if not 0 <= start < len(layers):
        raise ConfigError(
            f"start_layer {start} does not exist: the encoder has {len(layers)} layers, "
            f"allowed: 0..{len(layers) - 1}"
        )
    return layers[start:]


def _gradients(logits: Tensor, labels: Tensor, of: Sequence[Tensor], scale: float) -> list[Tensor]:
    """Differentiate the sum of the true labels' logits; float32, nothing else touched."""
    if not logits.requires_grad:
        raise ValueError("a map needs gradients: encode outside torch.no_grad and inference_mode")
    chosen = logits.gather(1, labels[:, None])
    seed = torch.full_like(chosen, scale)
    found = torch.autograd.grad(chosen, of, grad_outputs=seed, retain_graph=True)
    return [gradient.float() / scale for gradient in found]


def _class_row(layer: LayerCapture) -> Tensor:
    row = torch.zeros_like(layer.keys[:, 0, :, 0], dtype=torch.float32)  # [B, T]
    row[:, 0] = 1
    return row


def _through(row: Tensor, layer: LayerCapture, gradient: Tensor) -> Tensor:
    """Multiply the row [B, T] by the layer's mean over heads of max(0, dS/dA * A)."""
    weighted = layer.attention().mul_(gradient @ layer.values.float().mT)  # [B, heads, Q, T]
    heads, queries = weighted.shape[1:3]
    mean = weighted.clamp_(min=0).flatten(1, 2)  # [B, heads * Q, T]
    per_head = row[:, None, :queries].repeat(1, 1, heads) / heads  # [B, 1, heads * Q]
    return (per_head @ mean)[:, 0]


def _patch_scores(row: Tensor, capture: Capture) -> Tensor:
    return row[:, capture.prefix_tokens :].reshape(len(row), *capture.grid)
