"""The sheet of images that a run begins with."""

import numpy as np
import pytest
import torch
from PIL import Image

import cfft
from cfft.config.run_config import Chosen
from cfft.evaluation.preview import Combination, preview_sheet
from cfft.plugin.params import declaration
from cfft.step.engine import TrainingStep, View
from cfft.testing import tiny_batch, tiny_classifier
from cfft.training.sheet import draw_sheet, one_of_each_class, sample_sheet, sheet_draws
from cfft_tasks import CrossEntropy


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
    """Shorten the features of counterfactual images."""

    needs = frozenset({"student.view"})
    weight: float = cfft.param(1.0, help="factor")

    def measure(self, outputs):
        return outputs.student("counterfactual").features.square().mean()


NAMES = ("cat", "dog", "fish")


def outputs_of_a_step():
    view = View(FirstColumn(), Drop(), Flat())
    losses, views = {"length": Length()}, {"counterfactual": view}
    step = TrainingStep(tiny_classifier(), CrossEntropy(), losses, {}, views)
    return step.outputs(tiny_batch(), sheet_draws(0))


def shown(axes) -> torch.Tensor:
    return torch.from_numpy(axes.get_images()[0].get_array().copy()).permute(2, 0, 1)


def test_a_sheet_has_a_row_for_each_image_and_a_column_for_each_stage():
    outputs = outputs_of_a_step()
    figure = draw_sheet(outputs, NAMES)
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles == ["original", "map", "hidden", "counterfactual"]
    assert figure.axes[0].get_ylabel() == "cat"
    assert len(figure.axes) == 4 * len(outputs.batch.images)


def test_a_sheet_shows_dropped_patches_in_grey_and_leaves_the_others():
    outputs = outputs_of_a_step()
    width = (
        outputs.batch.images.shape[-1] // outputs.views["counterfactual"].selection.hidden.shape[-1]
    )
    counterfactual = shown(draw_sheet(outputs, NAMES).axes[3])
    original = outputs.batch.images[0]
    torch.testing.assert_close(
        counterfactual[:, :, :width], torch.full_like(original[:, :, :width], 0.5)
    )
    torch.testing.assert_close(counterfactual[:, :, width:], original[:, :, width:])


@cfft.mask("whole")
class Whole:
    """Hide every patch."""

    def select(self, batch, view):
        hidden = torch.ones(len(batch.images), *view.grid, dtype=torch.bool)
        return cfft.MaskSelection(hidden, None, hidden[0].numel())


def test_a_sheet_has_no_column_of_images_that_are_hidden_as_a_whole():
    views = {"counterfactual": View(Whole(), Neighbour(), Flat())}
    step = TrainingStep(tiny_classifier(), CrossEntropy(), {"length": Length()}, {}, views)

    figure = draw_sheet(step.outputs(tiny_batch(), sheet_draws(0)), NAMES)

    assert [axes.get_title() for axes in figure.axes[:2]] == ["original", "counterfactual"]
    assert figure.get_supxlabel() == "not drawn, all is hidden: hidden"


def test_a_preview_has_no_column_of_a_mask_that_hides_everything():
    masks = (Whole(), FirstColumn())

    figure = preview([combination(Flat(), mask, Neighbour()) for mask in masks])

    assert titles(figure, 5) == [
        *("original", "cam flat", "fill neighbour", "mask first-column", "fill neighbour"),
    ]
    assert figure.get_supxlabel() == "not drawn, all is hidden: mask whole"


def test_a_step_without_mask_and_fill_has_no_sheet():
    step = TrainingStep(tiny_classifier(), CrossEntropy(), {}, {}, {})
    outputs = step.outputs(tiny_batch(), sheet_draws(0))
    with pytest.raises(ValueError, match="without mask and fill"):
        draw_sheet(outputs, NAMES)


def test_images_are_taken_from_every_class_before_a_second_of_any():
    assert one_of_each_class([0, 0, 2, 1, 2], 4) == [0, 3, 2, 1]


class Noise:
    """Five images of noise in three classes."""

    name, labels, classes = "noise", (0, 0, 1, 2, 2), (0, 1, 2)

    def __len__(self):
        return 5

    def read(self, index):
        pixels = np.random.default_rng(index).integers(0, 255, (8, 12, 3), dtype=np.uint8)
        return Image.fromarray(pixels)

    def identify(self, index):
        return str(index)


@cfft.mask("coin")
class Coin:
    """Hide patches at random, without a map."""

    rate: float = cfft.param(0.5, help="share of patches")

    def select(self, batch, view):
        drawn = torch.rand(len(batch.images), *view.grid, generator=view.rng)
        return cfft.MaskSelection(drawn < self.rate)


@cfft.fill("neighbour")
class Neighbour:
    """Fill from the image before."""

    smallest_batch = 4

    def refill(self, batch, selection, rng):
        donors = torch.arange(len(batch.images)).roll(1)
        return cfft.Counterfactual(cfft.paste_patches(batch.images, selection.hidden, donors))


@cfft.cam("steep")
class Steep:
    """Score the right-most column."""

    def explain(self, batch, view):
        return torch.tensor([0.0, 0.0, 1.0]).expand(len(batch.images), *view.grid)


def chosen(strategy):
    declared = declaration(type(strategy))
    return Chosen(declared.kind, declared.name, declared.name, strategy, "test", "1")


def combination(cam, mask, fill):
    return Combination(chosen(cam), chosen(mask), chosen(fill))


def preview(combinations, rows=2):
    return preview_sheet(
        tiny_classifier(), combinations, Noise(), NAMES, PREPROCESSING, rows, seed=3
    )


def titles(figure, columns):
    return [axes.get_title().replace("\n", " ").strip() for axes in figure.axes[:columns]]


PREPROCESSING = cfft.Preprocessing((8, 12), 8, "bicubic", (0.5,) * 3, (0.25,) * 3)


def test_a_preview_draws_each_map_and_mask_once_for_all_fills():
    masks, fills = (Coin(), Coin(rate=0.2), FirstColumn()), (Drop(), Neighbour())

    figure = preview([combination(Flat(), mask, fill) for mask in masks for fill in fills])

    assert titles(figure, 11) == [
        *("original", "cam flat"),
        *("mask coin rate 0.5", "fill drop", "fill neighbour"),
        *("mask coin rate 0.2", "fill drop", "fill neighbour"),
        *("mask first-column", "fill drop", "fill neighbour"),
    ]
    assert len(figure.axes) == 2 * 11


def test_a_preview_of_several_maps_says_which_a_mask_rests_on():
    cams, masks = (Flat(), Steep()), (Coin(), FirstColumn())

    figure = preview([combination(cam, mask, Drop()) for cam in cams for mask in masks])

    assert titles(figure, 9) == [
        *("original", "cam flat", "cam steep", "mask coin rate 0.5", "fill drop"),
        *("mask first-column of flat", "fill drop", "mask first-column of steep", "fill drop"),
    ]


def test_a_mask_is_drawn_with_the_share_that_it_hides():
    figure = preview([combination(Flat(), FirstColumn(), Drop())])

    assert figure.axes[2].get_xlabel() == "33 % hidden"


def test_a_preview_shows_the_images_that_the_sheet_of_a_run_shows():
    views = {"counterfactual": View(Coin(), Neighbour(), Flat())}
    step = TrainingStep(tiny_classifier(), CrossEntropy(), {"length": Length()}, {}, views)
    of_run = sample_sheet(step, Noise(), NAMES, PREPROCESSING, seed=3)

    figure = preview([combination(Flat(), Coin(), Neighbour())], rows=5)

    images = [torch.stack(list(map(shown, sheet.axes))) for sheet in (figure, of_run)]
    torch.testing.assert_close(*images)
