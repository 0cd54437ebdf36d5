"""Fills that look at what they fill with, and their strength."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from cfft import Batch, ConfigError, MaskSelection, TrainingError
from cfft.plugin.params import declaration
from cfft_fills import (
    BlurFill,
    ContextDonorFill,
    MeanFill,
    MultiFill,
    OtherClassFill,
    RestyleFill,
    SingleFill,
)

PATCH = 4
SOFT = [SingleFill, MultiFill, OtherClassFill, ContextDonorFill, RestyleFill, MeanFill, BlurFill]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(size: int = 4, labels: tuple[int, ...] = (0, 1, 2, 0), **more) -> Batch:
    return Batch(torch.rand(size, 3, 8, 12, generator=rng(9)), torch.tensor(labels[:size]), **more)


def numbered_patches(size: int = 3) -> Batch:
    """Make images whose every pixel holds (10 * image + patch) / 100, patches counted by rows."""
    values = 10 * torch.arange(size)[:, None] + torch.arange(6)  # [B, P]
    grid = (values / 100).view(size, 1, 2, 3).expand(-1, 3, -1, -1)
    images = grid.repeat_interleave(PATCH, dim=2).repeat_interleave(PATCH, dim=3)
    return Batch(images.clone(), torch.arange(size))


def numbers(images: Tensor) -> Tensor:
    """Read from `numbered_patches` which image and patch each patch holds: [B, P]."""
    return (100 * images[:, 0, ::PATCH, ::PATCH]).round().long().flatten(1)


def hiding(*rows: list[int]) -> MaskSelection:
    """Hide the patches whose number stands in the row of each image."""
    hidden = torch.zeros(len(rows), 6, dtype=torch.bool)
    for row, patches in enumerate(rows):
        hidden[row, patches] = True
    return MaskSelection(hidden.view(-1, 2, 3))


EVERYTHING = [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("fill", SOFT)
def test_only_pixels_of_hidden_patches_change(fill):
    batch = noise()

    images = fill().refill(batch, hiding([0], [1, 5], [], [2]), rng()).images

    changed = (images != batch.images).any(dim=1)  # [B, H, W]
    by_patch = changed.view(4, 2, PATCH, 3, PATCH).any(dim=4).any(dim=2).flatten(1)
    allowed = hiding([0], [1, 5], [], [2]).hidden.flatten(1)
    assert not (by_patch & ~allowed).any()
    assert by_patch.any()


@pytest.mark.parametrize("fill", SOFT)
def test_strength_blends_the_original_with_the_new_pixels(fill):
    batch, selection = noise(), hiding(*[EVERYTHING] * 4)

    full = fill().refill(batch, selection, rng()).images
    quarter = fill(strength=0.25).refill(batch, selection, rng()).images
    none = fill(strength=0.0).refill(batch, selection, rng()).images

    assert_close(quarter, 0.75 * batch.images + 0.25 * full)
    assert torch.equal(none, batch.images)


@pytest.mark.parametrize(
    ("progress", "strength"), [(None, 0.8), (0.0, 0.2), (0.5, 0.5), (1.0, 0.8)]
)
def test_strength_goes_in_a_straight_line_from_its_start_to_its_end(progress, strength: float):
    assert MeanFill(strength_start=0.2, strength=0.8).strength_at(progress) == pytest.approx(
        strength
    )


def test_strength_follows_the_progress_of_training_that_the_batch_tells():
    selection = hiding(*[EVERYTHING] * 4)
    fill = MeanFill(strength_start=0.0)

    begun = fill.refill(noise(progress=0.0), selection, rng()).images
    half = fill.refill(noise(progress=0.5), selection, rng()).images
    outside = fill.refill(noise(), selection, rng()).images

    assert torch.equal(begun, noise().images)
    assert_close(half, 0.5 * noise().images + 0.5 * outside)


@pytest.mark.parametrize("fill", SOFT)
def test_no_gradient_flows_and_values_stay_in_range(fill):
    images = noise().images.requires_grad_()

    filled = fill().refill(Batch(images, noise().labels), hiding(*[EVERYTHING] * 4), rng()).images

    assert not filled.requires_grad
    assert 0 <= filled.min() <= filled.max() <= 1


@pytest.mark.parametrize("fill", [MeanFill, BlurFill, RestyleFill])
def test_a_grid_that_does_not_divide_the_images_is_refused(fill):
    selection = MaskSelection(torch.ones(4, 3, 5, dtype=torch.bool))

    with pytest.raises(ValueError, match="8 x 12 pixels do not divide into 3 x 5 patches"):
        fill().refill(noise(), selection, rng())


@pytest.mark.parametrize("seed", range(10))
def test_other_class_fill_takes_every_patch_from_one_image_of_another_class(seed: int):
    batch = numbered_patches(4)
    labelled = Batch(batch.images, torch.tensor([0, 0, 1, 0]))

    taken = numbers(OtherClassFill().refill(labelled, hiding(*[EVERYTHING] * 4), rng(seed)).images)

    donors = taken // 10
    assert (taken % 10 == torch.arange(6)).all()
    assert donors[[0, 1, 3]].eq(2).all()
    assert (donors[2] == donors[2, 0]).all()
    assert donors[2, 0] != 2


def test_other_class_fill_takes_every_image_of_another_class_equally_often():
    batch = noise(3, (0, 1, 1))
    shades = Batch(torch.arange(3.0)[:, None, None, None].expand(3, 3, 8, 12) / 2, batch.labels)
    draws = [
        OtherClassFill().refill(shades, hiding(*[EVERYTHING] * 3), rng(seed)).images[0, 0, 0, 0]
        for seed in range(300)
    ]

    assert torch.stack(draws).mul(2).long().bincount(minlength=3)[1].item() == pytest.approx(
        150, abs=35
    )


@pytest.mark.parametrize("seed", range(10))
def test_other_class_fill_takes_any_other_image_in_a_batch_of_one_class(seed: int):
    batch = noise(labels=(1, 1, 1, 1))

    filled = OtherClassFill().refill(batch, hiding(*[EVERYTHING] * 4), rng(seed)).images

    donors = [
        [index for index, image in enumerate(batch.images) if torch.equal(image, each)]
        for each in filled
    ]
    assert all(len(found) == 1 and found != [own] for own, found in enumerate(donors))


@pytest.mark.parametrize("fill", [OtherClassFill, ContextDonorFill])
def test_a_batch_of_one_has_no_donor(fill):
    with pytest.raises(TrainingError, match="needs another image in the batch, got a batch of 1"):
        fill().refill(noise(1), hiding([0]), rng())


@pytest.mark.parametrize("seed", range(10))
def test_context_donor_takes_patches_that_are_visible_in_one_other_image(seed: int):
    selection = hiding([0, 1, 2], [3, 4], [0, 5])

    taken = numbers(ContextDonorFill().refill(numbered_patches(), selection, rng(seed)).images)

    hidden = selection.hidden.flatten(1)
    own = numbers(numbered_patches().images)
    assert torch.equal(taken[~hidden], own[~hidden])
    donors = torch.stack([row[mask][0] // 10 for row, mask in zip(taken, hidden, strict=True)])
    assert donors.sort().values.tolist() == [0, 1, 2]
    assert (donors != torch.arange(3)).all()
    given = taken[hidden]
    assert torch.equal(given // 10, donors[:, None].expand(3, 6)[hidden])
    assert not hidden[given // 10, given % 10].any()


def test_context_donor_takes_every_visible_patch_equally_often():
    selection = hiding([0], [0, 1, 2])
    draws = [
        numbers(ContextDonorFill().refill(numbered_patches(2), selection, rng(seed)).images)[0, 0]
        for seed in range(300)
    ]

    shares = torch.stack(draws).bincount(minlength=16)[10:] / 300
    assert_close(shares, torch.tensor([0, 0, 0, 1, 1, 1]) / 3, atol=0.09, rtol=0)


def test_a_donor_without_visible_patches_gives_the_same_place():
    taken = numbers(
        ContextDonorFill().refill(numbered_patches(2), hiding(EVERYTHING, [4]), rng()).images
    )

    assert taken[1].tolist() == [10, 11, 12, 13, 4, 15]


def test_mean_fill_paints_the_mean_colour_of_the_image_or_of_the_batch():
    batch, selection = noise(2), hiding([1], EVERYTHING)

    own = MeanFill().refill(batch, selection, rng()).images
    shared = MeanFill(colour="batch").refill(batch, selection, rng()).images

    assert_close(own[0, :, 0, 4], batch.images[0].mean(dim=(1, 2)))
    assert_close(shared[1, :, 7, 11], batch.images.mean(dim=(0, 2, 3)))


def test_blur_fill_keeps_flat_images_and_takes_contrast_from_others():
    flat = Batch(torch.full((2, 3, 8, 12), 0.3), torch.tensor([0, 1]))
    selection = hiding(EVERYTHING, EVERYTHING)

    assert_close(BlurFill(width=0.5).refill(flat, selection, rng()).images, flat.images)
    blurred = BlurFill(width=0.5).refill(noise(2), selection, rng()).images
    assert (blurred.std(dim=(2, 3)) < 0.2 * noise(2).images.std(dim=(2, 3))).all()


def test_the_styles_have_to_be_known():
    with pytest.raises(ConfigError, match=r"unknown style 'edge'; did you mean 'edges'\?"):
        declaration(RestyleFill).build({"styles": "blur,edge"}, {})
    with pytest.raises(ConfigError, match="styles is empty: name one or more of convolution"):
        declaration(RestyleFill).build({"styles": []}, {})


def test_restyle_draws_one_style_for_each_image_each_equally_often():
    images = torch.rand(1, 3, 8, 12, generator=rng(1)).expand(900, -1, -1, -1)
    batch = Batch(images, torch.zeros(900, dtype=torch.int64))
    selection = MaskSelection(torch.ones(900, 2, 3, dtype=torch.bool))

    filled = RestyleFill(styles=("original", "greyscale", "greyscale"))
    new = filled.refill(batch, selection, rng()).images

    unchanged = (new == images).flatten(1).all(dim=1)
    grey = (new[:, 0] == new[:, 1]).flatten(1).all(dim=1)
    assert (unchanged ^ grey).all()
    assert unchanged.float().mean().item() == pytest.approx(1 / 3, abs=0.05)


def test_restyle_draws_again_for_every_image_of_a_batch():
    images = torch.rand(1, 3, 8, 12, generator=rng(1)).expand(4, -1, -1, -1)
    batch = Batch(images, torch.zeros(4, dtype=torch.int64))
    fill = RestyleFill(styles=("convolution",))

    new = fill.refill(batch, hiding(*[EVERYTHING] * 4), rng()).images

    assert len({image.numpy().tobytes() for image in new}) == 4
