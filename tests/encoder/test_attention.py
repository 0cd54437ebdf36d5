"""Attention in bfloat16 on a CPU: plain matrix products instead of the fused kernel."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from cfft.encoder.blocks import attend, key_mask

KEPT = torch.tensor([[True, False, True, True], [False, False, False, True]])


def parts(dtype: torch.dtype, queries: int = 5) -> list[Tensor]:
    """Draw queries [2, 3, Q, 8], and keys and values [2, 3, 5, 8], that want gradients."""
    rng = torch.Generator().manual_seed(0)
    sizes = ((2, 3, queries, 8), (2, 3, 5, 8), (2, 3, 5, 8))
    return [torch.randn(size, generator=rng).to(dtype).requires_grad_() for size in sizes]


def with_gradients(attended: Tensor, of: list[Tensor]) -> list[Tensor]:
    return [attended, *torch.autograd.grad(attended.float().square().sum(), of)]


@pytest.mark.parametrize("mask", [None, key_mask(KEPT, 1)], ids=["all keys", "some keys"])
@pytest.mark.parametrize("queries", [5, 1])
def test_bfloat16_is_near_the_exact_attention_and_its_gradients(queries, mask):
    half = parts(torch.bfloat16, queries)
    exact = [part.detach().double().requires_grad_() for part in half]

    found = with_gradients(attend(*half, mask), half)
    expected = with_gradients(scaled_dot_product_attention(*exact, attn_mask=mask), exact)

    assert {each.dtype for each in found} == {torch.bfloat16}
    torch.testing.assert_close([each.double() for each in found], expected, rtol=0.05, atol=0.05)


def test_keys_that_are_not_seen_do_not_matter():
    queries, keys, values = parts(torch.bfloat16)
    mask = key_mask(KEPT, 1)
    hidden = ~mask.mT  # [B, 1, T, 1]
    others = keys.masked_fill(hidden, 9.0), values.masked_fill(hidden, -9.0)

    assert torch.equal(attend(queries, keys, values, mask), attend(queries, *others, mask))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_other_precisions_are_computed_by_the_fused_kernel(dtype):
    given = parts(dtype)

    assert torch.equal(attend(*given, None), scaled_dot_product_attention(*given))


@pytest.mark.parametrize("execution", ["gather", "mask"])
def test_an_encoder_in_bfloat16_drops_tokens_as_in_float32(classifier, images, execution):
    dropped = torch.tensor([[[0, 1, 0], [0, 0, 0]], [[1, 1, 0], [0, 1, 1]]]).bool()
    classifier.encoder.execution = execution

    with torch.autocast("cpu", torch.bfloat16):
        half = classifier(images, dropped).features

    torch.testing.assert_close(half, classifier(images, dropped).features, rtol=0.1, atol=0.1)
