"""One training step: clean pass, mask, fill, second passes, terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError
from cfft.records import Batch, Counterfactual, LossTerm, MaskSelection, StepOutputs, StepResult
from cfft.step.interfaces import AuxLoss, Cam, MaskSelector, Refiller
from cfft.step.needs import CLASSIFICATION, all_needs, check_losses, teacher_needs
from cfft.step.passes import CleanPass, FrozenTeacher, second_pass


class TrainingStep(nn.Module):
    """Compute the objective of one batch: cross-entropy plus weighted auxiliary losses.

    `losses` and `teachers` are keyed by label; a loss follows the teacher that its parameter
    `teacher` names. Only passes that some loss needs are made: where none looks at counterfactual
    images, neither mask nor fill runs, and both may be None. Generators are on the CPU and made
    again for each step. Raises ConfigError for a loss without its teacher, mask or fill.
    """

    def __init__(
        self,
        student: Classifier,
        mask: MaskSelector | None,
        fill: Refiller | None,
        cam: Cam | None,
        losses: Mapping[str, AuxLoss],
        teachers: Mapping[str, Classifier],
    ) -> None:
        super().__init__()
        check_losses(losses, teachers)
        self.student, self.cam, self.losses = student, cam, dict(losses)
        self.needs = all_needs(losses)
        self.labels = tuple(teachers)
        self.strategies = _needed(mask, fill, self.needs)
        self.teachers = nn.ModuleDict(
            {
                f"teacher {label}": FrozenTeacher(model, teacher_needs(label, losses))
                for label, model in teachers.items()
            }
        )

    @property
    def weights(self) -> dict[str, float]:
        """Name every term of the objective with its weight."""
        return {CLASSIFICATION: 1.0, **{label: loss.weight for label, loss in self.losses.items()}}

    def teacher(self, label: str) -> FrozenTeacher:
        """Return the teacher of that label, to set its `feature_variance` on."""
        return cast(FrozenTeacher, self.teachers[f"teacher {label}"])

    def forward(
        self, images: Tensor, labels: Tensor, mask_rng: torch.Generator, fill_rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Return "total" and every un-weighted term by name: scalar tensors in the graph."""
        result = self.measure(Batch(images, labels), mask_rng, fill_rng)
        return {"total": result.total, **{term.name: term.value for term in result.terms}}

    def measure(
        self, batch: Batch, mask_rng: torch.Generator, fill_rng: torch.Generator
    ) -> StepResult:
        """Return the objective of `batch` and its terms."""
        return self.objective(self.outputs(batch, mask_rng, fill_rng))

    def objective(self, outputs: StepOutputs) -> StepResult:
        """Weight and sum the terms: cross-entropy on the original images, then every loss."""
        labels = outputs.batch.labels
        values = {CLASSIFICATION: cross_entropy(outputs.student_original.logits, labels)}
        values |= {label: loss.measure(outputs) for label, loss in self.losses.items()}
        terms = tuple(LossTerm(name, values[name], w) for name, w in self.weights.items())
        return StepResult(torch.stack([t.weight * t.value for t in terms]).sum(), terms)

    def outputs(
        self, batch: Batch, mask_rng: torch.Generator, fill_rng: torch.Generator
    ) -> StepOutputs:
        """Return everything that the losses look at; one clean pass serves head and map."""
        if self.strategies is None:
            clean, selection, counterfactual = self.student(batch.images), None, None
        else:
            view = CleanPass.of(self.student, batch, self.cam, mask_rng)
            clean, selection = view.clean, self.strategies[0].select(batch, view)
            counterfactual = refilled(self.strategies[1], batch, selection, fill_rng)
        second = None
        if counterfactual is not None and "student.counterfactual" in self.needs:
            second = second_pass(self.student, batch, counterfactual, clean)
        taught = {k: self.teacher(k).outputs(batch, counterfactual) for k in self.labels}
        return StepOutputs(batch, selection, counterfactual, clean, second, taught)


def _needed(
    mask: MaskSelector | None, fill: Refiller | None, needs: frozenset[str]
) -> tuple[MaskSelector, Refiller] | None:
    if needs.isdisjoint({"student.counterfactual", "teacher.counterfactual"}):
        return None
    if mask is None or fill is None:
        raise ConfigError("a loss looks at counterfactual images: choose a mask and a fill")
    return mask, fill


def refilled(
    fill: Refiller, batch: Batch, selection: MaskSelection, rng: torch.Generator
) -> Counterfactual:
    """Return what `fill` makes of a selection; the images themselves where none is hidden."""
    if selection.hidden_per_image == 0:
        return Counterfactual(batch.images)
    return fill.refill(batch, selection, rng)
