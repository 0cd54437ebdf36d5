"""A mask, fill, cam, loss or declaration that breaks a rule is told which."""

import random
from pathlib import Path

import attrs
import pytest
import torch
from torch.nn import functional

import cfft
from cfft.testing import check_strategy


def broken_mask(select):
    return cfft.mask("odd")(type("Odd", (), {"__doc__": "Hide.", "select": select}))


def nothing(batch, view):
    return torch.zeros(len(batch.images), *view.grid, dtype=torch.bool)


def writes(self, batch, view):
    batch.images.zero_()
    return cfft.MaskSelection(nothing(batch, view))


def draws_globally(self, batch, view):
    torch.rand(1)
    return cfft.MaskSelection(nothing(batch, view))


def draws_from_python(self, batch, view):
    random.random()
    return cfft.MaskSelection(nothing(batch, view))


def leaves_gradients(self, batch, view):
    view.clean.logits.sum().backward(retain_graph=True)
    return cfft.MaskSelection(nothing(batch, view))


def miscounts(self, batch, view):
    return cfft.MaskSelection(nothing(batch, view), hidden_per_image=1)


def scores_above_one(self, batch, view):
    return cfft.MaskSelection(nothing(batch, view), 2 * view.scores())


def transposes(self, batch, view):
    return cfft.MaskSelection(nothing(batch, view).mT)


def returns_a_tensor(self, batch, view):
    return nothing(batch, view)


@pytest.mark.parametrize(
    ("select", "says"),
    [
        (writes, r"mask 'odd' must leave alone: batch\.images"),
        (draws_globally, "leave alone: torch's global random generator"),
        (draws_from_python, "leave alone: Python's global random generator"),
        (leaves_gradients, r"leave alone: .*head\.weight\.grad"),
        (miscounts, r"hidden_per_image is 1, but the images have \[0, 0, 0\]"),
        (scores_above_one, r"scores must be in 0\.\.1"),
        (transposes, r"hidden must have the shape \[3, 2, 3\], got \[3, 3, 2\]"),
        (returns_a_tensor, "must return a MaskSelection"),
    ],
)
def test_a_mask_that_breaks_a_rule_is_told_which(select, says: str):
    with pytest.raises(AssertionError, match=says):
        check_strategy(broken_mask(select))


def test_a_mask_that_remembers_draws_is_told_to_use_its_generator():
    carried = torch.Generator().manual_seed(0)

    def select(self, batch, view):
        return cfft.MaskSelection(torch.rand(3, *view.grid, generator=carried) > 0.5)

    with pytest.raises(AssertionError, match=r"must draw from view\.rng alone"):
        check_strategy(broken_mask(select))


@cfft.fill("half")
class HalfPrecisionFill:
    """Return images of another dtype."""

    def refill(self, batch, selection, rng):
        return cfft.Counterfactual(batch.images.half())


@cfft.fill("pair")
class PairFill:
    """Promise to refuse a single image and take it."""

    smallest_batch = 2

    def refill(self, batch, selection, rng):
        return cfft.Counterfactual(batch.images.clone())


@cfft.cam("negative")
class NegativeCam:
    """Score below zero."""

    def explain(self, batch, view):
        return -torch.ones(len(batch.images), *view.grid)


@cfft.cam("greedy")
class GreedyCam:
    """Free the graph that the backward pass needs."""

    def explain(self, batch, view):
        attended = view.capture.layers[-1].attended
        torch.autograd.grad(view.clean.logits.sum(), attended)
        return torch.ones(len(batch.images), *view.grid)


@cfft.loss("detached")
class DetachedLoss:
    """Measure without a gradient."""

    weight: float = cfft.param(1.0, help="factor")

    def measure(self, outputs):
        return outputs.student("original").logits.detach().mean()


@cfft.loss("vector")
class VectorLoss:
    """Measure each image."""

    weight: float = cfft.param(1.0, help="factor")

    def measure(self, outputs):
        return outputs.student("original").logits.mean(dim=1)


@cfft.loss("forgetful")
class ForgetfulLoss:
    """Look at a pass that it does not ask for."""

    needs = frozenset({"student.view"})
    weight: float = cfft.param(1.0, help="factor")

    def measure(self, outputs):
        return outputs.teacher("teacher", "original").logits.mean()


@cfft.loss("double")
class DoubleLoss:
    """Send a gradient into a pass that it does not name."""

    needs = frozenset({"student.view"})
    weight: float = cfft.param(1.0, help="factor")

    def measure(self, outputs):
        gap = outputs.student("counterfactual").features - outputs.student_original.features
        return gap.square().mean()


@cfft.loss("wordy")
class WordyLoss:
    """Train a text tower that it does not ask for."""

    needs = frozenset({"teacher.text"})
    weight: float = cfft.param(1.0, help="factor")

    def measure(self, outputs):
        return outputs.prompts()(["a dog"]).mean()


@cfft.task("headless")
class HeadlessTask:
    """Make the head of a text tower that it does not train."""

    needs = frozenset({"teacher.text"})
    head_from_text = True

    def measure(self, outputs):
        return outputs.student_original.logits.mean()


@cfft.teacher("shared")
class SharedTeacher:
    """Give no classifier."""

    def load(self, source):
        return source.pretrained().encoder


@pytest.mark.parametrize(
    ("strategy", "error", "says"),
    [
        (HalfPrecisionFill, AssertionError, r"images must keep torch\.float32"),
        (WordyLoss, ValueError, r"student\.text was not computed.*`needs`"),
        (HeadlessTask, AssertionError, r"task 'headless': head_from_text needs student\.text"),
        (PairFill, AssertionError, "must raise a CfftError for a batch of 1"),
        (NegativeCam, AssertionError, "scores must not be negative"),
        (GreedyCam, AssertionError, "must leave the graph to the backward pass"),
        (DetachedLoss, AssertionError, "no gradient flows into the student"),
        (VectorLoss, AssertionError, r"the term must have the shape \[\], got \[3\]"),
        (ForgetfulLoss, ValueError, r"teacher\.original was not computed.*`needs`"),
        (DoubleLoss, AssertionError, r"loss 'double' must name student\.original in needs"),
        (SharedTeacher, AssertionError, "teacher 'shared' must return a Classifier"),
    ],
)
def test_a_strategy_that_breaks_a_rule_is_told_which(strategy, error, says: str):
    with pytest.raises(error, match=says):
        check_strategy(strategy)


@cfft.mask("mute")
class MuteMask:
    """Hide."""

    share: float = cfft.param(0.5, help=" ")

    def select(self, batch, view):
        return None


@cfft.mask("untold")
class UntoldMask:
    share: float = cfft.param(0.5, help="share")

    def select(self, batch, view):
        return None


@cfft.fill("sparing")
class SparingFill:
    """Need two images and misspell that."""

    smallest_batches = 2

    def refill(self, batch, selection, rng):
        return None


@cfft.loss("needy")
class NeedyLoss(cfft.AuxLoss):
    """Misspell what is needed."""

    need = frozenset({"teacher.original"})
    weight: float = cfft.param(1.0, help="factor")

    def measure(self, outputs):
        return None


@cfft.suite("partial")
class PartialSuite:
    """Name a parameter that is not there."""

    only_measured = ("siz",)
    size: int = cfft.param(1, help="images")

    def open(self, seed):
        return None


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        (SparingFill, "fill 'sparing' has an attribute 'smallest_batches'.*'smallest_batch'"),
        (NeedyLoss, "loss 'needy' has an attribute 'need', .*did you mean 'needs'"),
        (PartialSuite, "suite 'partial', only_measured: unknown parameter 'siz'.*'size'"),
        (MuteMask, "mask 'mute', parameter 'share' has no help text"),
        (UntoldMask, "first line must have 1 to 79 characters"),
    ],
)
def test_a_declaration_that_breaks_a_rule_is_told_which(strategy, says: str):
    with pytest.raises(AssertionError, match=says):
        check_strategy(strategy)


@attrs.frozen
class Undeclared:
    """Hide."""


def test_a_class_that_is_no_strategy_is_told_how_to_become_one():
    with pytest.raises(TypeError, match=r"decorate the class with one of @cfft\.mask"):
        check_strategy(Undeclared)


@cfft.mask("exact")
class ExactMask(cfft.MaskSelector):
    """Hide the same number of patches in every image."""

    count: int = cfft.param(help="number of patches", ge=0)

    def select(self, batch, view):
        patches = torch.arange(view.grid[0] * view.grid[1]).view(1, *view.grid)
        return cfft.MaskSelection((patches < self.count).expand(len(batch.images), -1, -1))


@cfft.mask("listed")
class ListedMask(cfft.MaskSelector):
    """Hide the patches of a file."""

    file: Path = cfft.param(help="file of their numbers")

    @classmethod
    def example(cls, folder):
        (folder / "numbers.txt").write_text("1\n")
        return {"file": folder / "numbers.txt"}

    def select(self, batch, view):
        hidden = torch.zeros(len(batch.images), *view.grid, dtype=torch.bool)
        hidden.flatten(1)[:, int(self.file.read_text())] = True
        return cfft.MaskSelection(hidden)


def test_a_strategy_with_a_required_parameter_needs_a_value_to_run():
    with pytest.raises(AssertionError, match=r"give check_strategy values: .*exact\.count"):
        check_strategy(ExactMask)


def test_a_strategy_that_brings_an_example_is_run_with_it():
    check_strategy(ListedMask)


def test_values_take_the_place_of_the_example(tmp_path):
    with pytest.raises(AssertionError, match="FileNotFoundError"):
        check_strategy(ListedMask, {"file": tmp_path / "missing"})


@cfft.fill("reflecting-blur")
class ReflectingBlur:
    """Blur hidden patches with a kernel of 23 pixels, reflected at the edges."""

    def refill(self, batch, selection, rng):
        hidden = functional.interpolate(selection.hidden[:, None].float(), batch.images.shape[-2:])
        padded = functional.pad(batch.images, (11, 11, 11, 11), mode="reflect")
        return cfft.Counterfactual(
            torch.where(hidden.bool(), functional.avg_pool2d(padded, 23, 1), batch.images)
        )


def test_a_fill_that_needs_images_of_a_common_size_keeps_the_rules():
    check_strategy(ReflectingBlur)


@cfft.fill("square-only")
class SquareOnly:
    """Fail on images that are not square."""

    def refill(self, batch, selection, rng):
        return cfft.Counterfactual(batch.images + batch.images.mT)


def test_a_fill_that_fails_is_named_with_the_size_of_the_images():
    says = (
        r"fill 'square-only' fails on images \[3, 3, 32, 48\], a grid of 2 x 3 patches: "
        "RuntimeError: The size of tensor"
    )
    with pytest.raises(AssertionError, match=says):
        check_strategy(SquareOnly)


@cfft.mask("large-only")
class LargeOnly:
    """Fail on images as large as models usually see them."""

    def select(self, batch, view):
        if batch.images.shape[-1] >= 224:
            raise MemoryError("too large")
        return cfft.MaskSelection(nothing(batch, view))


def test_masks_are_tried_on_images_of_a_usual_size():
    with pytest.raises(AssertionError, match=r"fails on images \[3, 3, 224, 224\], a grid of 14"):
        check_strategy(LargeOnly)
