"""Build the training steps that benchmarks/step.py measures, on random weights and images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
import open_clip
import torch
from plain_step import PlainStep
from torch import Tensor

import cfft
from cfft.encoder.towers import open_clip_tower
from cfft.runtime.randomness import generator
from cfft.step.engine import TrainingStep, View
from cfft_cams import Relevance
from cfft_fills import MultiFill, NoFill, SingleFill
from cfft_losses import FeatureMse
from cfft_masks import ContextMask, ObjectMask, RandomMask
from cfft_tasks import CrossEntropy

MINI = "cfft-mini"
VANILLA = "vanilla"
STEPS = ("cfft", "joint", "checkpointed", "plain", VANILLA)
MASKS: Mapping[str, Any] = {
    "object": ObjectMask(threshold=0.3),
    "context": ContextMask(threshold=0.5),
    "random": RandomMask(rate=0.5),
}
FILLS: Mapping[str, Any] = {"none": NoFill(), "single": SingleFill(), "multi": MultiFill()}
PRECISIONS = ("fp32", "bf16")

_CLASSES = 1000
_FEATURE_WEIGHT = 30.0
_MINI = {"size": (64, 64), "patch": (8, 8), "width": 192, "layers": 5, "heads": 6, "dim": 64}
Terms = dict[str, Tensor]


@attrs.frozen
class Case:
    """Name one kind of step: who computes it, what is hidden and refilled, and how exactly.

    `step`: cfft as `cfft run` does, freeing graphs early; joint with one backward pass;
    checkpointed as with --checkpoint-activations; plain; vanilla, cross-entropy alone, which has
    neither mask nor fill.
    """

    step: str
    mask: str
    fill: str
    precision: str

    @property
    def label(self) -> str:
        kind = VANILLA if self.step == VANILLA else f"{self.mask} + {self.fill}, {self.step}"
        return f"{kind}, {self.precision}"

    def of(self, step: str, precision: str | None = None) -> Case:
        """Return the case to compare with."""
        return case(step, self.mask, self.fill, precision or self.precision)


def case(step: str, mask: str, fill: str, precision: str) -> Case:
    """Return a case; vanilla is the same whatever mask and fill are."""
    return Case(step, *("", "") if step == VANILLA else (mask, fill), precision)


class Steps:
    """Take steps of one model on one batch: the same weights, images and donors in all cases."""

    def __init__(self, model: str, batch: int, device: str) -> None:
        torch.manual_seed(0)
        self.device = torch.device(device)
        self.student, teacher = (classifier(model).to(self.device) for _ in range(2))
        self.teacher = teacher
        height, width = self.student.encoder.tower.image_size
        self.images = torch.rand(batch, 3, height, width).to(self.device)
        self.labels = torch.randint(_CLASSES, (batch,)).to(self.device)

    def forward(self) -> None:
        """Make one forward pass of the image tower: F."""
        with torch.no_grad():
            self.student.encoder(self.images)

    def taking(self, case: Case) -> Callable[[], dict[str, Tensor]]:
        """Return the function that computes terms and gradients of a case; it waits for nothing."""
        terms = self._plain(case) if case.step == "plain" else self._own(case)
        return partial(self._with_gradients, terms, case.precision)

    def _with_gradients(self, terms: Callable[[], Terms], precision: str) -> Terms:
        self.student.zero_grad(set_to_none=True)
        half = partial(torch.autocast, self.device.type, torch.bfloat16, precision == "bf16")
        with half():
            found = terms()
        found["total"].backward()
        return {name: value.detach() for name, value in found.items() if name != "total"}

    def _own(self, case: Case) -> Callable[[], Terms]:
        losses, teachers, views = {}, {}, {}
        if case.step != VANILLA:
            losses = {"feature-mse": FeatureMse(scale="raw", weight=_FEATURE_WEIGHT)}
            views = {"counterfactual": View(MASKS[case.mask], FILLS[case.fill], Relevance())}
            teachers = {"clip": self.teacher}
        step = TrainingStep(self.student, CrossEntropy(), losses, teachers, views)
        propagate = None if case.step == "joint" else Tensor.backward

        def take() -> Terms:
            self.student.encoder.checkpointed = case.step == "checkpointed"
            return step(self.images, self.labels, _draw, propagate=propagate)

        return take

    def _plain(self, case: Case) -> Callable[[], Terms]:
        step = PlainStep(self.student, self.teacher, MASKS[case.mask], FILLS[case.fill])

        def take() -> Terms:
            self.student.encoder.checkpointed = False
            found = step(self.images, self.labels, _draw)
            total = found["ce"] + _FEATURE_WEIGHT * found["feature-mse"]
            return {**found, "total": total}

        return take


def classifier(model: str) -> cfft.Classifier:
    """Build an open_clip model, or one like the embedded model, with random values."""
    if model == MINI:
        tower = open_clip_tower(**_MINI)
    else:
        tower = open_clip.create_model(model, pretrained=None).visual
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    size = tower.image_size
    encoder = cfft.Encoder(tower, cfft.Preprocessing(size, size[0], "bicubic", mean, std))
    weight = 100 * torch.nn.functional.normalize(torch.randn(_CLASSES, encoder.dim), dim=-1)
    return cfft.Classifier(encoder, cfft.Head(weight, torch.zeros(_CLASSES), normalised=True))


def _draw(purpose: str) -> torch.Generator:
    return generator(0, purpose)
