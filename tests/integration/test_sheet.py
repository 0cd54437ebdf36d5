"""The sheet of pictures that a run begins with."""

import pytest
import torch

import cfft
from cfft.engine import TrainingStep
from cfft.sheet import draw_sheet, one_of_each_class
from cfft.testing import tiny_batch, tiny_classifier


@cfft.mask("first-column")
class FirstColumn:
    """Hide the left-most patches by their place, with the map beside it."""

    def select(self, batch, view):
        hidden = torch.zeros(len(batch.images), *view.grid, dtype=torch.bool)
        hidden[:, :, 0] = True
        return cfft.MaskSelection(hidden, view.scores(), view.grid[0])


@cfft.fill("drop")
class Drop:
    """Drop what is hidden."""

    def refill(self, batch, selection, rng):
        return cfft.Counterfactual(batch.images, selection.hidden, selection.hidden_per_image)


@cfft.cam("flat")
class Flat:
    """Score every patch alike."""

    def explain(self, batch, view):
        return torch.ones(len(batch.images), *view.grid)


@cfft.loss("length")
class Length:
    """Shorten the features of counterfactual pictures."""

    needs = frozenset({"student.counterfactual"})
    weight: float = cfft.param(1.0, help="factor")

    def measure(self, outputs):
        return outputs.student_counterfactual.features.square().mean()


NAMES = ("cat", "dog", "fish")


def outputs_of_a_step():
    step = TrainingStep(tiny_classifier(), FirstColumn(), Drop(), Flat(), {"length": Length()}, {})
    return step.outputs(tiny_batch(), torch.Generator(), torch.Generator())


def shown(axes) -> torch.Tensor:
    return torch.from_numpy(axes.get_images()[0].get_array().copy()).permute(2, 0, 1)


def test_a_sheet_has_a_row_a_picture_and_a_column_a_stage():
    outputs = outputs_of_a_step()
    figure = draw_sheet(outputs, NAMES)
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles == ["original", "map", "hidden", "counterfactual"]
    assert figure.axes[0].get_ylabel() == "cat"
    assert len(figure.axes) == 4 * len(outputs.batch.images)


def test_a_sheet_shows_dropped_patches_in_grey_and_leaves_the_others():
    outputs = outputs_of_a_step()
    width = outputs.batch.images.shape[-1] // outputs.selection.hidden.shape[-1]
    counterfactual = shown(draw_sheet(outputs, NAMES).axes[3])
    original = outputs.batch.images[0]
    torch.testing.assert_close(
        counterfactual[:, :, :width], torch.full_like(original[:, :, :width], 0.5)
    )
    torch.testing.assert_close(counterfactual[:, :, width:], original[:, :, width:])


def test_a_step_without_mask_and_fill_has_no_sheet():
    step = TrainingStep(tiny_classifier(), None, None, None, {}, {})
    outputs = step.outputs(tiny_batch(), torch.Generator(), torch.Generator())
    with pytest.raises(ValueError, match="without mask and fill"):
        draw_sheet(outputs, NAMES)


def test_pictures_are_taken_from_every_class_before_a_second_of_any():
    assert one_of_each_class([0, 0, 2, 1, 2], 4) == [0, 3, 2, 1]
