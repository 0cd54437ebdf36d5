"""How much of an image the masks of a run hide on average."""

import re
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

import cfft
from cfft.step.engine import TrainingStep, View
from cfft.testing import tiny_classifier
from cfft.training.coverage import (
    Coverage,
    coverage_notes,
    coverage_warnings,
    declared_share,
    measure_coverage,
)

PREPROCESSING = cfft.Preprocessing((8, 12), 8, "bicubic", (0.5,) * 3, (0.25,) * 3)


class Noise:
    """Forty images of noise in two classes."""

    name, labels, classes = "noise", (0, 1) * 20, (0, 1)

    def __len__(self):
        return 40

    def read(self, index):
        pixels = np.random.default_rng(index).integers(0, 255, (8, 12, 3), dtype=np.uint8)
        return Image.fromarray(pixels)

    def identify(self, index):
        return str(index)


@cfft.mask("label-dependent")
class ByLabel:
    """Hide one patch of images of class 0, three of the others; six are there."""

    batches: ClassVar[list[int]] = []

    def select(self, batch, view):
        self.batches.append(len(batch.images))
        count = torch.where(batch.labels == 0, 1, 3)
        hidden = torch.arange(6).expand(len(count), -1) < count[:, None]
        return cfft.MaskSelection(hidden.view(-1, *view.grid))


@cfft.mask("some")
class Some:
    """Hide the first of six patches, always as many, or that share of more."""

    share: float | None = cfft.param(None, help="share of patches")
    count: int = cfft.param(0, help="patches")

    def hidden_per_image(self, patches):
        return patches * self.count // 6

    def select(self, batch, view):
        hidden = torch.arange(6).expand(len(batch.images), -1) < self.count
        return cfft.MaskSelection(hidden.view(-1, *view.grid), hidden_per_image=self.count)


class Untouched:
    """Refuse to fill: a measurement needs no counterfactuals."""

    def refill(self, batch, selection, rng):
        raise AssertionError("nothing has to be filled")


@cfft.loss("length")
class Length(cfft.AuxLoss):
    """Shorten the features of a view."""

    needs = frozenset({"student.view"})
    weight: float = cfft.param(1.0, help="factor")
    view: str = cfft.param("counterfactual", help="view")

    def measure(self, outputs):
        return outputs.student(self.view).features.square().mean()


class Task(cfft.Task):
    def measure(self, outputs):
        return outputs.student_original.logits.sum()


def step_of(**masks) -> TrainingStep:
    losses = {f"length-{label}": Length(view=label) for label in masks}
    views = {label: View(mask, Untouched()) for label, mask in masks.items()}
    return TrainingStep(tiny_classifier(), Task(), losses, {}, views)


def configured(mask) -> SimpleNamespace:
    """Make the part of a configuration that messages read."""
    chosen = SimpleNamespace(name="some", strategy=mask)
    views = [SimpleNamespace(label="counterfactual", mask=chosen)]
    return SimpleNamespace(all_views=lambda: views)


def test_the_average_is_over_images_of_all_classes_in_batches_of_the_given_size():
    ByLabel.batches.clear()

    found = measure_coverage(step_of(counterfactual=ByLabel()), Noise(), PREPROCESSING, 20, 0)

    assert found["counterfactual"].share == pytest.approx(2 / 6)
    assert not found["counterfactual"].whole
    assert ByLabel.batches == [20, 12]


def test_every_view_is_measured_and_a_mask_that_means_to_hide_nothing_or_all_is_known():
    step = step_of(counterfactual=Some(count=6), context=Some(count=0), third=Some(count=3))

    found = measure_coverage(step, Noise(), PREPROCESSING, 32, 0)

    assert found == {
        "counterfactual": Coverage(1.0, whole=True),
        "context": Coverage(0.0, whole=True),
        "third": Coverage(0.5, whole=False),
    }


def test_a_step_without_views_hides_nothing_and_reads_no_image():
    step = TrainingStep(tiny_classifier(), Task(), {}, {}, {})

    assert measure_coverage(step, None, PREPROCESSING, 32, 0) == {}


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.04, "mask 'some' hides 4 % of an image on average .* are nearly the originals: give"),
        (0.81, "hides 81 % .* hardly anything of the originals is left: .*--share 0.5 hides half"),
    ],
)
def test_a_mask_that_hides_hardly_anything_or_nearly_all_is_warned_of(share: float, words: str):
    (warning,) = coverage_warnings(configured(Some()), {"counterfactual": Coverage(share, False)})

    assert re.search(words, warning)


@pytest.mark.parametrize(
    "coverage", [Coverage(0.05, False), Coverage(0.8, False), Coverage(0, True), Coverage(1, True)]
)
def test_shares_in_between_and_masks_that_mean_it_are_not_warned_of(coverage: Coverage):
    assert list(coverage_warnings(configured(Some()), {"counterfactual": coverage})) == []


def test_what_was_measured_is_noted_unless_the_mask_declares_all_or_nothing():
    config = configured(ByLabel())

    (note,) = coverage_notes(config, {"counterfactual": Coverage(0.333, False)})

    assert note == "mask 'some' hides 33 % of an image on average (up to 32 training images)"
    assert list(coverage_notes(config, {"counterfactual": Coverage(1.0, True)})) == []


def test_a_mask_without_a_share_is_sent_to_the_preview():
    (warning,) = coverage_warnings(
        configured(ByLabel()), {"counterfactual": Coverage(0.0, whole=False)}
    )

    assert warning.endswith("change its parameters; cfft preview shows what they do")


def test_the_plan_knows_shares_that_masks_declare():
    assert declared_share(Some(count=3), 6) == 0.5
    assert declared_share(ByLabel(), 6) is None
