import pytest
import torch

from cfft import Batch, ConfigError
from cfft.plugin.params import declaration, values_of
from cfft.testing import FixedView, tiny_batch, tiny_classifier
from cfft_masks import AllMask, ContextMask, NoMask, ObjectMask, RandomMask

SCORES = torch.tensor([[[0.0, 0.3, 0.31], [1.0, 0.6, 0.2]], [[0.5, 0.5, 0.5], [0.0, 0.0, 1.0]]])


def batch_of(size: int) -> Batch:
    return Batch(torch.zeros(size, 3, 8, 12), torch.zeros(size, dtype=torch.int64))


def blank_view(size: int = 2, grid: tuple[int, int] = (2, 3), seed: int = 0) -> FixedView:
    return FixedView(torch.zeros(size, *grid), seed)


def test_object_mask_hides_patches_above_the_threshold_and_not_those_on_it():
    selection = ObjectMask(threshold=0.3).select(batch_of(2), FixedView(SCORES))

    expected = [[[0, 0, 1], [1, 1, 0]], [[1, 1, 1], [0, 0, 1]]]
    torch.testing.assert_close(selection.hidden, torch.tensor(expected, dtype=torch.bool))
    torch.testing.assert_close(selection.scores, SCORES)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_context_mask_is_the_exact_complement_of_the_object_mask(threshold: float):
    view = FixedView(SCORES)

    salient = ObjectMask(threshold=threshold).select(batch_of(2), view)
    context = ContextMask(threshold=threshold).select(batch_of(2), view)

    torch.testing.assert_close(context.hidden, ~salient.hidden)


def test_threshold_masks_hide_a_number_that_the_host_does_not_know():
    assert ObjectMask().select(batch_of(2), FixedView(SCORES)).hidden_per_image is None


def test_no_mask_hides_nothing_and_says_so_on_the_host():
    selection = NoMask().select(batch_of(2), blank_view())

    assert selection.hidden_per_image == 0
    torch.testing.assert_close(selection.hidden, torch.zeros(2, 2, 3, dtype=torch.bool))


@pytest.mark.parametrize(
    ("rate", "count"), [(0.0, 0), (0.25, 2), (0.5, 3), (0.75, 4), (0.9, 5), (1.0, 6)]
)
def test_random_mask_hides_exactly_the_rounded_share_of_six_patches(rate: float, count: int):
    selection = RandomMask(rate=rate).select(batch_of(4), blank_view(4))

    assert selection.hidden.sum(dim=(1, 2)).tolist() == [count] * 4
    assert selection.hidden_per_image == count


@pytest.mark.parametrize(("rate", "count"), [(0.25, 2), (0.5, 3), (0.75, 5)])
def test_reference_random_mask_rounds_the_kept_patches_down_where_they_are_dropped(
    rate: float, count: int
):
    mask = RandomMask(rate=rate, draw="reference", refilled=False)

    selection = mask.select(batch_of(4), blank_view(4))

    assert selection.hidden.sum(dim=(1, 2)).tolist() == [count] * 4
    assert selection.hidden_per_image == count


def test_reference_random_mask_draws_each_patch_alone_where_they_are_refilled():
    mask = RandomMask(rate=0.25, draw="reference", refilled=True)

    selection = mask.select(batch_of(500), blank_view(500))

    assert selection.hidden_per_image is None
    assert selection.hidden.sum(dim=(1, 2)).unique().tolist() == [0, 1, 2, 3, 4, 5]
    assert selection.hidden.float().mean().item() == pytest.approx(0.25, abs=0.03)


def test_random_mask_hides_every_patch_equally_often():
    selection = RandomMask(rate=0.5).select(batch_of(2000), blank_view(2000))

    share = selection.hidden.float().mean(dim=0)
    torch.testing.assert_close(share, torch.full((2, 3), 0.5), atol=0.05, rtol=0)


def test_random_mask_follows_its_generator_alone():
    mask = RandomMask(rate=0.5)

    first = mask.select(batch_of(8), blank_view(8, seed=1)).hidden
    again = mask.select(batch_of(8), blank_view(8, seed=1)).hidden
    other = mask.select(batch_of(8), blank_view(8, seed=2)).hidden

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("mask", "param", "fill", "default"),
    [
        (RandomMask, "rate", "none", 0.75),
        (RandomMask, "rate", "single", 0.5),
        (RandomMask, "rate", "multi", 0.5),
        (ObjectMask, "threshold", "none", 0.3),
        (ObjectMask, "threshold", "single", 0.3),
        (ObjectMask, "threshold", "multi", 0.6),
        (ContextMask, "threshold", "none", 0.6),
        (ContextMask, "threshold", "single", 0.5),
        (ContextMask, "threshold", "multi", 0.3),
    ],
)
def test_defaults_follow_the_fill_as_in_the_papers_examples(mask, param, fill, default):
    built = declaration(mask).build({}, {"fill": fill})

    assert getattr(built, param) == default


@pytest.mark.parametrize(("fill", "refilled"), [("none", False), ("single", True)])
def test_random_mask_knows_from_the_fill_whether_patches_are_refilled(fill: str, refilled: bool):
    assert declaration(RandomMask).build({}, {"fill": fill}).refilled is refilled


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.25, 2), (0.5, 3), (0.75, 4), (1.0, 6)])
@pytest.mark.parametrize("mask", [ObjectMask, ContextMask])
def test_masks_by_share_hide_exactly_the_rounded_share_of_six_patches(mask, share, count):
    selection = mask(share=share, threshold=None).select(batch_of(2), FixedView(SCORES))

    assert selection.hidden.sum(dim=(1, 2)).tolist() == [count] * 2
    assert selection.hidden_per_image == count
    assert mask(share=share, threshold=None).hidden_per_image(6) == count


def test_object_by_share_hides_the_highest_scores_and_of_equal_ones_the_first():
    selection = ObjectMask(share=0.5, threshold=None).select(batch_of(2), FixedView(SCORES))

    expected = [[[0, 0, 1], [1, 1, 0]], [[1, 1, 0], [0, 0, 1]]]
    torch.testing.assert_close(selection.hidden, torch.tensor(expected, dtype=torch.bool))
    torch.testing.assert_close(selection.scores, SCORES)


@pytest.mark.parametrize("share", [0.0, 1 / 3, 0.5, 1.0])
def test_object_and_context_hide_complements_where_their_shares_add_up_to_one(share: float):
    view = FixedView(SCORES)

    salient = ObjectMask(share=share, threshold=None).select(batch_of(2), view)
    context = ContextMask(share=1 - share, threshold=None).select(batch_of(2), view)

    assert torch.equal(context.hidden, ~salient.hidden)


@pytest.mark.parametrize("mask", [ObjectMask, ContextMask])
@pytest.mark.parametrize("fill", ["none", "single", "multi", "my-fill"])
def test_a_share_takes_the_place_of_the_default_threshold(mask, fill: str):
    built = declaration(mask).build({"share": "0.4"}, {"fill": fill})

    assert (built.share, built.threshold) == (0.4, None)
    assert declaration(mask).build(values_of(built), {"fill": fill}) == built


@pytest.mark.parametrize("mask", [ObjectMask, ContextMask])
def test_share_and_threshold_together_are_refused(mask):
    with pytest.raises(ConfigError, match=r"share 0.5 and threshold 0.3 exclude each other"):
        declaration(mask).build({"share": 0.5, "threshold": 0.3}, {})
    with pytest.raises(ConfigError, match="share and threshold are both none"):
        declaration(mask).build({"threshold": "none"}, {})


def test_the_mask_all_hides_every_patch_and_says_so_on_the_host():
    selection = AllMask().select(batch_of(2), blank_view())

    assert selection.hidden.all()
    assert selection.hidden_per_image == AllMask().hidden_per_image(6) == 6


def test_dropping_every_patch_leaves_the_class_token_and_one_output_for_all_images():
    student, batch = tiny_classifier(), tiny_batch()
    selection = AllMask().select(batch, blank_view(3))

    encoded = student(batch.images, selection.hidden, selection.hidden_per_image)
    counted = student(batch.images, selection.hidden)

    torch.testing.assert_close(encoded.features, counted.features)
    torch.testing.assert_close(encoded.features[0], encoded.features[1])
    assert not torch.equal(encoded.features, student(batch.images).features)
