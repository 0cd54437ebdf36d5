"""The styles of `restyle`, worked by hand where they draw nothing."""

import pytest
import torch
from torch.testing import assert_close

from cfft_fills.filters import blurred, filtered, luma
from cfft_fills.styles import STYLES, colours, convolution, edges, mix, pose, posterise

DRAWING = ["convolution", "colours", "edges", "blur", "posterise", "pose", "mix"]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(size: int = 3) -> torch.Tensor:
    return torch.rand(size, 3, 8, 12, generator=rng(7))


@pytest.mark.parametrize("name", STYLES)
def test_a_style_returns_new_images_in_range_and_leaves_its_own(name: str):
    given = images()

    made = STYLES[name](given, rng())

    assert made.shape == given.shape
    assert made.dtype == given.dtype
    assert 0 <= made.min() <= made.max() <= 1
    assert torch.equal(given, images())


@pytest.mark.parametrize("name", STYLES)
def test_a_style_survives_a_flat_image_and_half_precision(name: str):
    made = STYLES[name](torch.full((2, 3, 8, 12), 0.5, dtype=torch.bfloat16), rng())

    assert made.dtype == torch.bfloat16
    assert made.isfinite().all()


@pytest.mark.parametrize("name", DRAWING)
def test_a_style_draws_from_its_generator_alone(name: str):
    state = torch.get_rng_state()

    first, again = STYLES[name](images(), rng(1)), STYLES[name](images(), rng(1))

    assert torch.equal(first, again)
    assert not torch.equal(first, STYLES[name](images(), rng(2)))
    assert torch.equal(torch.get_rng_state(), state)


def test_luma_weighs_red_green_and_blue():
    pure = torch.eye(3)[:, :, None, None]

    assert_close(luma(pure).flatten(), torch.tensor([0.299, 0.587, 0.114]))


def test_each_image_is_filtered_with_its_own_kernel():
    kernels = torch.zeros(2, 1, 3, 3, 3)
    kernels[0, 0, 0, 1, 1] = 1  # red, as it is
    kernels[1, 0, 2, 1, 0] = 2  # twice the blue of the pixel to the left

    found = filtered(images(2), kernels)

    assert_close(found[0, 0], images(2)[0, 0])
    assert_close(found[1, 0, :, 1:], 2 * images(2)[1, 2, :, :-1])
    assert_close(found[1, 0, :, 0], 2 * images(2)[1, 2, :, 0])


def test_blurring_weighs_pixels_by_a_gaussian_that_adds_up_to_one():
    point = torch.zeros(1, 1, 1, 5)
    point[..., 2] = 1

    found = blurred(point, torch.tensor([1.0]))

    near, far, farther = torch.exp(torch.tensor([-0.5, -2.0, -4.5])).tolist()
    assert found[0, 0, 0, 2].item() == pytest.approx(1 / (1 + 2 * near + 2 * far))
    assert found[0, 0, 0, 1].item() == pytest.approx(near / (1 + 2 * near + far + farther))


def test_a_convolution_keeps_brightness_and_contrast():
    quiet = 0.4 + 0.2 * images()  # nothing is cut

    made = convolution(quiet, rng())

    over = (1, 2, 3)
    assert_close(made.mean(dim=over), quiet.mean(dim=over), atol=1e-3, rtol=0)
    assert_close(made.std(dim=over), quiet.std(dim=over), atol=1e-3, rtol=0)


def test_colours_turn_and_keep_their_distance_from_grey_and_from_each_other():
    quiet = 0.4 + 0.2 * images()

    made = colours(quiet, rng())

    assert_close((made - 0.5).norm(dim=1), (quiet - 0.5).norm(dim=1))
    apart, before = made - made.roll(1, dims=3), quiet - quiet.roll(1, dims=3)
    assert_close(apart.norm(dim=1), before.norm(dim=1))
    turned = torch.linalg.lstsq(quiet[0].flatten(1).T - 0.5, made[0].flatten(1).T - 0.5).solution
    assert torch.linalg.det(turned).item() == pytest.approx(1, abs=1e-3)


def test_edges_lie_where_brightness_changes_in_either_polarity():
    step = torch.zeros(200, 3, 8, 12)
    step[..., 6:] = 1

    made = edges(step, rng())

    assert torch.equal(made[:, 0], made[:, 2])
    dark = made[:, 0, 4, 0] == 1
    assert dark.float().mean().item() == pytest.approx(0.5, abs=0.12)
    assert_close(made[dark][:, 0, 4, [4, 5, 6, 7]][0], torch.tensor([1.0, 0.0, 0.0, 1.0]))
    assert_close(made[~dark][:, 0, 4, [4, 5, 6, 7]][0], torch.tensor([0.0, 1.0, 1.0, 0.0]))


def test_posterising_leaves_two_to_five_even_levels():
    ramp = torch.linspace(0, 1, 96).view(1, 1, 8, 12).expand(200, 3, -1, -1)

    made = posterise(ramp, rng())

    levels = [image.unique().tolist() for image in made]
    assert {len(each) for each in levels} == {2, 3, 4, 5}
    five = next(each for each in levels if len(each) == 5)
    assert five == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def disc(radius: float) -> torch.Tensor:
    """Draw a white disc around the centre of a black image of 48 x 64 pixels."""
    down, across = torch.meshgrid(torch.arange(48) - 23.5, torch.arange(64) - 31.5, indexing="ij")
    return (down.square() + across.square() < radius**2).float().expand(1, 3, -1, -1)


@pytest.mark.parametrize("seed", range(5))
def test_pose_keeps_a_centred_disc_round_and_makes_it_smaller_by_up_to_two_fifths(seed: int):
    made = pose(disc(10), rng(seed))[0, 0, 6:42, 14:50]  # without its reflections

    rows, columns = made.sum(dim=1), made.sum(dim=0)
    widths = [
        float((profile * (torch.arange(len(profile)) - (len(profile) - 1) / 2).square()).sum())
        for profile in (rows, columns)
    ]
    share = float(made.sum() / disc(10)[0, 0].sum())  # of its area
    assert widths[0] == pytest.approx(widths[1], rel=0.05)
    assert 0.6**2 - 0.02 <= share <= 1.02


def test_pose_turns_both_ways_and_never_as_far_as_a_right_angle():
    bar = torch.zeros(64, 3, 33, 33)
    bar[:, :, 16, 8:25] = 1  # lying

    made = pose(bar, rng())[:, 0]

    tops = made[:, :, 20:].sum(dim=2).argmax(dim=1)  # the row of the right half
    assert tops.min() < 16 < tops.max()
    rows = (made[:, 4:29, 4:29].sum(dim=2) > 0.1).sum(dim=1)
    assert rows.max() <= 17 * 0.5 + 3  # the sine of 30 degrees, and what interpolation adds


def test_mix_takes_at_most_a_half_of_one_other_image():
    given = torch.eye(4)[:, :3, None, None].expand(4, 3, 2, 3)  # the last one is black

    made = mix(given, rng())[:, :, 0, 0]

    assert (made[:3].diag() >= 0.5).all()
    assert (made[:3].sum(dim=1) <= 1 + 1e-6).all()
    assert not torch.equal(made, given[:, :, 0, 0])


def test_mix_leaves_an_image_alone_as_it_is():
    assert torch.equal(mix(images(1), rng()), images(1))
