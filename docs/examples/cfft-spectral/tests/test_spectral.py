"""The mask keeps the rules of its kind and finds what stands out."""

from typing import Literal

import cfft
import pytest
import torch
from cfft.testing import FixedView, check_strategy

from cfft_spectral import SpectralMask, spectral_residual


@pytest.mark.parametrize("part", ["salient", "rest"])
def test_the_mask_keeps_the_rules_of_its_kind(part: str) -> None:
    check_strategy(SpectralMask, {"part": part})


@pytest.mark.parametrize(
    ("part", "hidden"),
    [
        ("salient", [[False, True, False], [False, False, False]]),
        ("rest", [[True, False, True], [True, True, True]]),
    ],
)
def test_the_one_odd_square_on_even_ground_is_the_salient_patch(
    part: Literal["salient", "rest"], hidden: list[list[bool]]
) -> None:
    images = torch.full((1, 3, 64, 96), 0.5)  # a grid of 2 x 3 patches, each 32 x 32 pixels
    images[:, :, 10:22, 42:54] = 0.9  # within the second patch
    batch = cfft.Batch(images, torch.tensor([0]))
    mask = SpectralMask(share=1 / 6 if part == "salient" else 5 / 6, part=part)

    selection = mask.select(batch, FixedView(torch.zeros(1, 2, 3)))

    assert selection.hidden.tolist() == [hidden]
    assert selection.scores is not None
    assert selection.scores[0, 0, 1] == 1


def test_brightness_of_the_whole_image_changes_nothing() -> None:
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    # log spectra differ by log 2 everywhere, so that the residuals agree
    torch.testing.assert_close(spectral_residual(images / 2), spectral_residual(images))
