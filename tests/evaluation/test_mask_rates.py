"""Figures of masks against segmentations, worked by hand."""

import pytest
import torch

from cfft.evaluation.masks.measuring import centred_squares, mask_figures, random_patches
from cfft.step.patches import enlarged

# 4 object pixels, 7 of context, 1 left out
SEGMENTATION = torch.tensor([[[1, 1, 0, 0], [1, 1, 0, 0], [255, 0, 0, 0]]], dtype=torch.uint8)


def left_columns(count: int) -> torch.Tensor:
    hidden = torch.zeros(1, 3, 4, dtype=torch.bool)
    hidden[:, :, :count] = True
    return hidden


@pytest.mark.parametrize(
    ("columns", "image_rate", "object_rate", "iou"),
    [
        (0, 0, 0, 0),
        (1, 2 / 11, 2 / 4, 2 / 4),  # the third pixel of the column is left out
        (2, 5 / 11, 4 / 4, 4 / 5),
        (4, 1, 1, 4 / 11),
    ],
)
def test_figures_count_what_is_hidden_of_image_and_object(columns, image_rate, object_rate, iou):
    figures = mask_figures(left_columns(columns), SEGMENTATION)

    torch.testing.assert_close(figures, torch.tensor([[image_rate, object_rate, iou]]).double())


def test_an_image_without_an_object_has_no_figures_and_leaves_the_others_theirs():
    hidden = torch.cat([left_columns(2), left_columns(2)])
    segmentation = torch.cat([torch.zeros_like(SEGMENTATION), SEGMENTATION])

    figures = mask_figures(hidden, segmentation)

    assert figures[0].isnan().all()
    torch.testing.assert_close(figures[1], torch.tensor([5 / 11, 1, 4 / 5]).double())


def test_a_square_lies_in_the_middle_and_has_the_area_of_the_mask():
    hidden = torch.zeros(2, 4, 6, dtype=torch.bool)
    hidden[0, 0, :4] = True
    hidden[1, :2] = True

    small, large = centred_squares(hidden)

    assert small.nonzero().tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]
    assert large.sum() == 12
    assert large[1:3, 1:5].sum() == 8  # the square of 2 x 2 inside the first whole ring


def test_a_square_larger_than_the_short_side_becomes_a_band():
    hidden = torch.zeros(1, 2, 6, dtype=torch.bool)
    hidden[0, 0] = hidden[0, 1, :2] = True

    (band,) = centred_squares(hidden)

    assert band.int().tolist() == [[0, 1, 1, 1, 1, 0]] * 2


def test_random_patches_are_as_many_as_the_mask_hides_in_each_image():
    hidden = torch.tensor([[[True, False, False]], [[True, True, False]]])
    keys = torch.tensor([[0.9, 0.1, 0.5], [0.9, 0.1, 0.5]])

    drawn = random_patches(hidden, keys)

    assert drawn.tolist() == [[[False, True, False]], [[False, True, True]]]


def test_a_patch_covers_all_its_pixels():
    patches = torch.tensor([[[True, False]]])

    assert enlarged(patches, (2, 6)).int().tolist() == [[[1, 1, 1, 0, 0, 0]] * 2]
