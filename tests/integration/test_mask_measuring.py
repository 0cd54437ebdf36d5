"""Masks of a model measured on segmented images, with figures worked by hand."""

import numpy as np
import pytest
import torch
from PIL import Image

import cfft
from cfft.errors import DataError
from cfft.evaluation.masks.measuring import BASELINES, CutMap, measure_masks, summary
from cfft.evaluation.masks.segmentations import Segmented
from cfft.runtime.devices import make_accelerator
from cfft.scoring.evaluate import Reading
from cfft.step.passes import CleanPass
from cfft.testing import tiny_classifier

GRID, PIXELS = (2, 3), (8, 12)
PREPROCESSING = cfft.Preprocessing(PIXELS, 8, "bicubic", (0.5,) * 3, (0.25,) * 3)
READING = Reading(PREPROCESSING, batch_size=2)


@cfft.cam("ramp")
class Ramp:
    """Score the three columns 1/3, 2/3 and 1."""

    def explain(self, batch, view):
        return torch.tensor([1.0, 2.0, 3.0]).expand(len(batch.images), *view.grid)


@cfft.cam("logit")
class Logit:
    """Score patches by the gradient of the true label's logit, so that labels matter."""

    def explain(self, batch, view):
        return cfft.relevance_scores(view.capture, view.clean.logits, batch.labels)


@cfft.mask("above")
class Above:
    """Hide what scores above a threshold."""

    threshold: float = cfft.param(0.5, help="threshold")

    def select(self, batch, view):
        return cfft.MaskSelection(view.scores() > self.threshold, view.scores())


class Noise:
    """Three images of noise, wider than the model sees: 8 x 20 pixels."""

    name, labels, classes = "noise", (0, 1, 2), (0, 1, 2)

    def __len__(self):
        return 3

    def read(self, index):
        pixels = np.random.default_rng(index).integers(0, 255, (8, 20, 3), dtype=np.uint8)
        return Image.fromarray(pixels)

    def identify(self, index):
        return str(index)


def object_in(columns: slice) -> np.ndarray:
    mask = np.zeros((8, 20), np.uint8)
    mask[:, columns] = 1
    return mask


# the model sees columns 4 to 15: the object of the second image is cut off, the third half
OBJECTS = (object_in(slice(12, 16)), object_in(slice(0, 4)), object_in(slice(14, 20)))
SEGMENTED = Segmented(Noise(), OBJECTS.__getitem__, missing=4)


def figures_of(masks, reading=READING):
    accelerator = make_accelerator("fp32")
    return measure_masks(tiny_classifier(GRID), SEGMENTED, masks, reading, accelerator, seed=0)


def test_masks_are_measured_where_the_model_looks():
    figures = figures_of([CutMap("ramp", t, Ramp(), Above(threshold=t)) for t in (0.5, 0.9)])

    two_columns, one_column = figures[0, :, 0].tolist()
    assert two_columns == pytest.approx([2 / 3, 1, 1 / 2])
    assert one_column == pytest.approx([1 / 3, 1, 1])
    assert figures[2, 1, 0].tolist() == pytest.approx([1 / 3, 1, 1 / 2])


def test_trivial_masks_hide_as_much_as_the_mask():
    figures = figures_of([CutMap("ramp", 0.9, Ramp(), Above(threshold=0.9))])

    everything, square, patches = figures[0, 0, 1:].tolist()
    assert everything == pytest.approx([1, 1, 1 / 3])
    assert square[0] == patches[0] == pytest.approx(1 / 3)
    assert square[1] < 1


def test_figures_do_not_depend_on_how_images_are_batched():
    masks = [CutMap("logit", 0.5, Logit(), Above(threshold=0.5))]

    one_by_one = figures_of(masks, Reading(PREPROCESSING, batch_size=1))

    torch.testing.assert_close(one_by_one, figures_of(masks), equal_nan=True)


def test_the_mask_is_that_of_the_clean_pass_of_training_for_the_true_label():
    student = tiny_classifier(GRID)
    images = torch.stack([torch.from_numpy(np.array(Noise().read(i))) for i in range(2)])
    batch = cfft.Batch(images[:, :, 4:16].permute(0, 3, 1, 2) / 255, torch.tensor([0, 1]))
    view = CleanPass.of(student, batch).seen_by(Logit(), torch.Generator())
    share = Above(threshold=0.3).select(batch, view).hidden[0].float().mean()

    figures = figures_of([CutMap("logit", 0.3, Logit(), Above(threshold=0.3))])

    assert figures[0, 0, 0, 0].item() == pytest.approx(share.item())


def test_means_are_over_images_with_an_object_in_view_and_say_which_were_left_out():
    masks = [CutMap("ramp", 0.9, Ramp(), Above(threshold=0.9))]

    (record,) = summary(figures_of(masks), masks, SEGMENTED)

    assert (record["cam"], record["threshold"]) == ("ramp", 0.9)
    assert (record["n"], record["without_object"], record["without_segmentation"]) == (2, 1, 4)
    assert record["iou"] == pytest.approx((1 + 1 / 2) / 2)
    assert tuple(record["baselines"]) == BASELINES


def test_a_set_without_any_object_in_view_has_no_figures():
    masks = [CutMap("ramp", 0.9, Ramp(), Above(threshold=0.9))]
    with pytest.raises(DataError, match="no segmentation of set 'noise' has an object"):
        summary(figures_of(masks)[1:2], masks, SEGMENTED)
