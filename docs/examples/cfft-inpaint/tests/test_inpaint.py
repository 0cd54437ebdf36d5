"""The fill keeps the rules of its kind and continues what is around."""

from typing import Literal

import cfft
import pytest
import torch
from cfft.testing import check_strategy

from cfft_inpaint import InpaintFill

LEVELS = 2.5 / 255  # OpenCV rounds on the way
METHODS: list[Literal["telea", "ns"]] = ["telea", "ns"]


@pytest.mark.parametrize("method", METHODS)
def test_the_fill_keeps_the_rules_of_its_kind(method: str) -> None:
    check_strategy(InpaintFill, {"method": method, "radius": 3.0})


@pytest.mark.parametrize("method", METHODS)
def test_a_patch_on_even_ground_gets_the_colour_of_the_ground(
    method: Literal["telea", "ns"],
) -> None:
    colour = torch.tensor([102, 51, 204]).view(3, 1, 1) / 255
    images = colour.expand(1, 3, 24, 24).clone()  # a grid of 3 x 3 patches, each 8 x 8 pixels
    images[:, :, 8:16, 8:16] = 0.0
    batch = cfft.Batch(images, torch.tensor([0]))
    hidden = torch.zeros(1, 3, 3, dtype=torch.bool)
    hidden[0, 1, 1] = True

    refilled = fill(method).refill(batch, cfft.MaskSelection(hidden), torch.Generator())

    found = refilled.images[0]
    torch.testing.assert_close(found, colour.expand(3, 24, 24), rtol=0, atol=LEVELS)
    assert (found[:, :8] == images[0, :, :8]).all()


def test_pixels_that_are_not_hidden_are_not_rounded() -> None:
    images = torch.full((1, 3, 16, 16), 0.1234)  # between two of 256 levels
    batch = cfft.Batch(images, torch.tensor([0]))
    selection = cfft.MaskSelection(torch.tensor([[[False, True]]]))

    refilled = fill("telea").refill(batch, selection, torch.Generator())

    assert (refilled.images[..., :8] == images[..., :8]).all()
    levels = refilled.images[..., 8:] * 255  # 0.1234 * 255 = 31.47, which is read as 31
    torch.testing.assert_close(levels, levels.round())
    torch.testing.assert_close(levels, torch.full_like(levels, 31), rtol=0, atol=2)


def test_an_image_that_is_hidden_whole_becomes_its_mean_colour() -> None:
    images = torch.zeros(1, 3, 8, 8)
    images[..., :2] = 1.0  # a quarter of the pixels
    batch = cfft.Batch(images, torch.tensor([0]))
    selection = cfft.MaskSelection(torch.ones(1, 1, 1, dtype=torch.bool))

    refilled = fill("telea").refill(batch, selection, torch.Generator())

    torch.testing.assert_close(refilled.images, torch.full((1, 3, 8, 8), 0.25))


def fill(method: Literal["telea", "ns"]) -> InpaintFill:
    return InpaintFill(method=method)
