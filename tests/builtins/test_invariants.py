"""Rules of every mask and fill, for whatever maps, grids and batches there are."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from cfft import Batch, MaskSelection
from cfft.testing import FixedView
from cfft_fills import (
    ContextDonorFill,
    MultiFill,
    OtherClassFill,
    SingleFill,
    cfft_fills,
)
from cfft_fills.soft import PixelFill
from cfft_masks import ContextMask, ObjectMask, RandomMask

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)  # few, so that scores tie
PATCH = 2  # pixels of its sides
STEP = 10_000  # between the values of one image and the next, more than an image has
seeds = st.integers(0, 2**31)
shares = st.floats(0, 1)
grids = st.tuples(st.integers(1, 4), st.integers(1, 4))
exactly = pytest.mark.parametrize("fill", cfft_fills(), ids=lambda fill: fill.__name__)


@st.composite
def maps(draw: st.DrawFn) -> Tensor:
    """Draw scores [B, gh, gw] in 0..1."""
    size, (gh, gw) = draw(st.integers(1, 4)), draw(grids)
    count = size * gh * gw
    scores = draw(st.lists(st.sampled_from(LEVELS), min_size=count, max_size=count))
    return torch.tensor(scores).view(size, gh, gw)


@attrs.frozen(eq=False)
class Refilling:
    """Hold a batch whose values say image and pixel, what is hidden in it, and a seed."""

    batch: Batch
    selection: MaskSelection
    seed: int

    def by(self, fill: Any) -> Tensor:
        rng = torch.Generator().manual_seed(self.seed)
        images: Tensor = fill.refill(self.batch, self.selection, rng).images
        return images

    @property
    def hidden(self) -> Tensor:
        """Where pixels are hidden: [B, 3, H, W], bool."""
        rows = self.selection.hidden.repeat_interleave(PATCH, 1).repeat_interleave(PATCH, 2)
        return rows[:, None].expand_as(self.batch.images)


@st.composite
def refillings(draw: st.DrawFn) -> Refilling:
    size, (gh, gw) = draw(st.integers(2, 5)), draw(grids)
    count = size * gh * gw
    hidden = torch.tensor(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    labels = torch.tensor(draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)))
    shape = (3, gh * PATCH, gw * PATCH)
    pixels = torch.arange(3.0 * shape[1] * shape[2]).view(shape)
    images = pixels + STEP * torch.arange(size)[:, None, None, None]
    selection = MaskSelection(hidden.view(size, gh, gw))
    return Refilling(Batch(images, labels), selection, draw(seeds))


def batch_for(scores: Tensor) -> Batch:
    size, gh, gw = scores.shape
    return Batch(torch.zeros(size, 3, gh * PATCH, gw * PATCH), torch.zeros(size).long())


def hidden_by(mask: Any, scores: Tensor) -> Tensor:
    hidden: Tensor = mask.select(batch_for(scores), FixedView(scores)).hidden
    return hidden


@pytest.mark.parametrize("mask", [ObjectMask, ContextMask])
@given(scores=maps(), share=shares)
def test_a_share_hides_exactly_its_number_of_patches_in_every_image(
    mask: type[Any], scores: Tensor, share: float
) -> None:
    hidden = hidden_by(mask(share=share, threshold=None), scores)

    wanted = round(share * scores[0].numel())
    assert hidden.flatten(1).sum(1).tolist() == [wanted] * len(scores)


@given(scores=maps(), rate=shares, seed=seeds)
def test_a_rate_hides_exactly_its_number_of_patches_in_every_image(
    scores: Tensor, rate: float, seed: int
) -> None:
    selection = RandomMask(rate=rate).select(batch_for(scores), FixedView(scores, seed))

    wanted = round(rate * scores[0].numel())
    assert selection.hidden.flatten(1).sum(1).tolist() == [wanted] * len(scores)


@given(scores=maps(), share=shares)
def test_no_patch_that_a_share_of_the_object_keeps_scores_higher(
    scores: Tensor, share: float
) -> None:
    hidden = hidden_by(ObjectMask(share=share, threshold=None), scores)

    lowest = scores.masked_fill(~hidden, 1).flatten(1).amin(1)
    highest = scores.masked_fill(hidden, 0).flatten(1).amax(1)
    assert (lowest >= highest).all()


@given(scores=maps(), threshold=st.sampled_from(LEVELS))
def test_object_and_context_part_every_image_at_a_threshold(
    scores: Tensor, threshold: float
) -> None:
    salient = hidden_by(ObjectMask(threshold=threshold), scores)
    context = hidden_by(ContextMask(threshold=threshold), scores)

    assert_close(context, ~salient)


@given(scores=maps(), data=st.data())
def test_object_and_context_part_every_image_at_shares_that_add_up(
    scores: Tensor, data: st.DataObject
) -> None:
    patches = scores[0].numel()
    count = data.draw(st.integers(0, patches))

    salient = hidden_by(ObjectMask(share=count / patches, threshold=None), scores)
    context = hidden_by(ContextMask(share=(patches - count) / patches, threshold=None), scores)

    assert_close(context, ~salient)


@pytest.mark.parametrize("mask", [ObjectMask, ContextMask])
@given(scores=maps(), share=st.none() | shares, data=st.data())
def test_what_is_hidden_of_an_image_does_not_depend_on_the_others(
    mask: type[Any], scores: Tensor, share: float | None, data: st.DataObject
) -> None:
    cut = mask(share=share, threshold=0.5 if share is None else None)
    order = data.draw(st.permutations(range(len(scores))))

    assert_close(hidden_by(cut, scores[order]), hidden_by(cut, scores)[order])


@exactly
@given(given_=refillings())
def test_patches_that_are_not_hidden_stay_bit_for_bit(fill: type[Any], given_: Refilling) -> None:
    before = given_.batch.images.clone()

    made = given_.by(fill())

    assert torch.equal(made[~given_.hidden], before[~given_.hidden])
    assert torch.equal(given_.batch.images, before)


@exactly
@given(given_=refillings())
def test_the_generator_alone_decides_what_a_fill_draws(fill: type[Any], given_: Refilling) -> None:
    assert torch.equal(given_.by(fill()), given_.by(fill()))


@pytest.mark.parametrize("fill", [f for f in cfft_fills() if issubclass(f, PixelFill)])
@given(given_=refillings())
def test_a_fill_of_no_strength_changes_nothing(fill: type[Any], given_: Refilling) -> None:
    assert torch.equal(given_.by(fill(strength=0.0)), given_.batch.images)


def givers(made: Tensor) -> Tensor:
    """Return the image that each pixel is of: [B, 3, H, W]."""
    return made.div(STEP, rounding_mode="floor").long()


def places(made: Tensor) -> Tensor:
    return made.remainder(STEP)


def donors(refilling: Refilling, made: Tensor) -> dict[int, set[int]]:
    """Return the images that gave to each image in which something is hidden."""
    taken, hidden = givers(made), refilling.hidden
    each = {image: set(taken[image][hidden[image]].tolist()) for image in range(len(made))}
    return {image: found for image, found in each.items() if found}


@pytest.mark.parametrize("fill", [SingleFill, MultiFill, OtherClassFill, ContextDonorFill])
@given(given_=refillings())
def test_no_image_is_its_own_donor(fill: type[Any], given_: Refilling) -> None:
    found = donors(given_, given_.by(fill()))

    assert not any(image in giving for image, giving in found.items())


@pytest.mark.parametrize("fill", [SingleFill, MultiFill, OtherClassFill])
@given(given_=refillings())
def test_donors_give_the_patch_of_the_same_place(fill: type[Any], given_: Refilling) -> None:
    made = given_.by(fill())

    assert_close(places(made), places(given_.batch.images), rtol=0, atol=0)


@pytest.mark.parametrize("fill", [SingleFill, OtherClassFill, ContextDonorFill])
@given(given_=refillings())
def test_one_image_gives_all_hidden_patches_of_another(fill: type[Any], given_: Refilling) -> None:
    found = donors(given_, given_.by(fill()))

    assert all(len(giving) == 1 for giving in found.values())


@pytest.mark.parametrize("fill", [SingleFill, ContextDonorFill])
@given(given_=refillings())
def test_along_a_cycle_no_image_gives_twice(fill: type[Any], given_: Refilling) -> None:
    giving = [donor for found in donors(given_, given_.by(fill())).values() for donor in found]

    assert len(giving) == len(set(giving))


@given(given_=refillings())
def test_donors_are_of_another_class_wherever_the_batch_has_one(given_: Refilling) -> None:
    labels = given_.batch.labels.tolist()

    found = donors(given_, given_.by(OtherClassFill()))

    alike = [image for image, (giver,) in found.items() if labels[giver] == labels[image]]
    assert not alike or len(set(labels)) == 1


@given(given_=refillings())
def test_context_of_a_donor_is_never_what_is_hidden_there(given_: Refilling) -> None:
    made, hidden = given_.by(ContextDonorFill()), given_.hidden
    from_where = places(made).long()

    some_left = ~hidden.flatten(1).all(1)
    was_hidden = hidden.flatten(1)[givers(made), from_where] & some_left[givers(made)]
    assert not (was_hidden & hidden).any()
