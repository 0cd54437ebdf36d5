import pytest
import torch
from torch import Tensor

from cfft import Batch, MaskSelection, TrainingError, paste_patches
from cfft_fills import MultiFill, NoFill, SingleFill

PATCH = 4


def numbered_batch(size: int, grid: tuple[int, int] = (2, 3)) -> Batch:
    """Make images whose every pixel holds the image's index, divided by the batch size."""
    shares = torch.arange(size) / size
    images = shares[:, None, None, None].expand(size, 3, grid[0] * PATCH, grid[1] * PATCH)
    return Batch(images.clone(), torch.zeros(size, dtype=torch.int64))


def all_hidden(size: int) -> MaskSelection:
    return MaskSelection(torch.ones(size, 2, 3, dtype=torch.bool))


def givers(images: Tensor) -> Tensor:
    """Read from refilled `numbered_batch` images which image gave each patch: [B, gh, gw]."""
    return (images[:, 0, ::PATCH, ::PATCH] * len(images)).round().long()


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_refilling_takes_hidden_patches_from_the_donor_and_leaves_the_others():
    batch = numbered_batch(3)
    hidden = torch.zeros(3, 2, 3, dtype=torch.bool)
    hidden[0, 0, 1] = hidden[0, 1, 2] = hidden[2, 1, 0] = True

    refilled = paste_patches(batch.images, hidden, torch.tensor([2, 0, 1]))

    expected = [[[0, 2, 0], [0, 0, 2]], [[1, 1, 1], [1, 1, 1]], [[2, 2, 2], [1, 2, 2]]]
    torch.testing.assert_close(givers(refilled), torch.tensor(expected))


def test_refilling_takes_each_patch_from_its_own_donor():
    donors = torch.tensor([[[1, 2, 1], [2, 1, 2]], [[0, 2, 0], [2, 0, 2]], [[0, 1, 0], [1, 0, 1]]])

    refilled = paste_patches(numbered_batch(3).images, all_hidden(3).hidden, donors)

    torch.testing.assert_close(givers(refilled), donors)


def test_refilling_keeps_the_place_within_the_patch():
    images = torch.arange(2 * 3 * 8 * 12.0).view(2, 3, 8, 12)
    hidden = torch.zeros(2, 2, 3, dtype=torch.bool)
    hidden[0, 1, 2] = True

    refilled = paste_patches(images, hidden, torch.tensor([1, 0]))

    expected = images.clone()
    expected[0, :, 4:, 8:] = images[1, :, 4:, 8:]
    torch.testing.assert_close(refilled, expected)


def test_refilling_refuses_a_grid_that_does_not_divide_the_image():
    with pytest.raises(ValueError, match="8 x 12 pixels do not divide into 3 x 3 patches"):
        paste_patches(torch.zeros(1, 3, 8, 12), torch.ones(1, 3, 3).bool(), torch.zeros(1).long())


@pytest.mark.parametrize("seed", range(20))
def test_multi_fill_never_takes_a_patch_from_the_same_image(seed: int):
    batch = numbered_batch(3)

    counterfactual = MultiFill().refill(batch, all_hidden(3), rng(seed))

    own = torch.arange(3)[:, None, None]
    assert (givers(counterfactual.images) != own).all()


def test_multi_fill_takes_every_other_image_equally_often():
    batch, selection = numbered_batch(4, (20, 30)), MaskSelection(torch.ones(4, 20, 30).bool())

    taken = givers(MultiFill().refill(batch, selection, rng()).images)[0].flatten()

    shares = taken.bincount(minlength=4) / taken.numel()
    torch.testing.assert_close(shares, torch.tensor([0, 1 / 3, 1 / 3, 1 / 3]), atol=0.06, rtol=0)


@pytest.mark.parametrize("seed", range(20))
def test_single_fill_takes_all_patches_from_one_other_image_and_each_image_gives_once(seed: int):
    batch = numbered_batch(5)

    taken = givers(SingleFill().refill(batch, all_hidden(5), rng(seed)).images).flatten(1)

    assert (taken == taken[:, :1]).all()
    assert (taken[:, 0] != torch.arange(5)).all()
    assert taken[:, 0].sort().values.tolist() == [0, 1, 2, 3, 4]


def test_single_fill_takes_every_other_image_equally_often():
    batch, selection = numbered_batch(3), all_hidden(3)
    draws = [SingleFill().refill(batch, selection, rng(seed)).images for seed in range(300)]

    taken = torch.stack([givers(images)[0, 0, 0] for images in draws])

    assert taken.bincount(minlength=3)[0] == 0
    assert taken.bincount(minlength=3)[1].item() == pytest.approx(150, abs=35)


def test_reference_single_fill_may_take_an_image_itself():
    batch, selection = numbered_batch(2), all_hidden(2)
    fill = SingleFill(donor="permutation")
    draws = [fill.refill(batch, selection, rng(seed)).images for seed in range(20)]

    taken = {tuple(givers(images)[:, 0, 0].tolist()) for images in draws}

    assert taken == {(0, 1), (1, 0)}


@pytest.mark.parametrize("fill", [SingleFill(), SingleFill(donor="permutation"), MultiFill()])
def test_a_batch_of_one_cannot_be_refilled(fill):
    with pytest.raises(TrainingError, match="needs another image in the batch, got a batch of 1"):
        fill.refill(numbered_batch(1), all_hidden(1), rng())


def test_no_fill_leaves_images_alone_and_drops_the_hidden_tokens():
    batch = numbered_batch(2)
    selection = MaskSelection(torch.tensor([[[1, 0, 0], [0, 1, 0]]] * 2).bool(), None, 2)

    counterfactual = NoFill().refill(batch, selection, rng())

    assert counterfactual.images is batch.images
    assert counterfactual.dropped is selection.hidden
    assert counterfactual.dropped_per_image == 2
