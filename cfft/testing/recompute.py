"""Recompute the quantities of a vector file with the code that trains."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import attrs
import torch
from torch import Tensor

from cfft.config.layers import read_defaults
from cfft.encoder.encoder import Classifier
from cfft.errors import DataError
from cfft.model.merge import average_weights
from cfft.plugin.registry import Registry
from cfft.records import Batch, Counterfactual, Encoded, MaskSelection
from cfft.step.engine import TrainingStep, View
from cfft.step.interfaces import Cam, Refiller, Task
from cfft.step.passes import CleanPass, CleanView
from cfft.step.patches import paste_patches
from cfft.testing.vectors import VectorFile


@attrs.frozen(eq=False)
class DonorFill(Refiller):
    """Refill from donors that are given: [B] or [B, gh, gw], indices into the batch."""

    donors: Tensor

    def refill(
        self, batch: Batch, selection: MaskSelection, rng: torch.Generator
    ) -> Counterfactual:
        """Return refilled images; nothing is drawn."""
        return Counterfactual(paste_patches(batch.images, selection.hidden, self.donors))


class Recomputation:
    """Recompute quantities by name; what several need is computed once."""

    def __init__(self, vectors: VectorFile, registry: Registry) -> None:
        self.vectors = vectors
        self.registry = registry
        self.batch = vectors.batch
        self.student = vectors.model("student")
        self.teacher = vectors.model("teacher")
        self.meaning = tomllib.loads(files("cfft.testing").joinpath("parity.toml").read_text())
        self._step = cache(self._run_step)

    def both(self, quantity: str) -> tuple[Tensor, Tensor] | None:
        """Return a quantity as cfft and as the file has it, or None for a name of no known form.

        Other code cannot repeat the draw of a random mask: its numbers of hidden patches per image
        are compared. Raises CfftError where the file contradicts itself.
        """
        for form, compute in _FORMS.items():
            if found := re.fullmatch(form, quantity):
                computed = compute(self, **found.groupdict())
                expected = self.vectors[quantity]
                drawn = computed.dtype == torch.int64
                return computed, expected.flatten(1).sum(dim=1) if drawn else expected
        return None

    @cached_property
    def _clean(self) -> CleanPass:
        return CleanPass.of(self.student, self.batch)

    @cached_property
    def _seen(self) -> CleanView:
        return self._clean.seen_by(self._cam(self.meaning["mask"]["cam"]), torch.Generator())

    def features_of_mask(self, mask: str, fill: str, value: str) -> Tensor:
        hidden = self.vectors[f"mask.{mask}.{value}"].view(-1, *self._seen.grid)
        counterfactual = self._refilled(fill, MaskSelection(hidden))
        encoded: Encoded = self.student(counterfactual.images, counterfactual.dropped)
        return encoded.features

    def cam(self, name: str) -> Tensor:
        return self._cam(name).explain(self.batch, self._seen)

    def mask(self, mask: str, value: str) -> Tensor:
        selection = self._selection(mask, value)
        hidden = selection.hidden
        return hidden.flatten(1).sum(dim=1) if selection.scores is None else hidden

    def counterfactual(self, fill: str, mask: str, value: str) -> Tensor:
        return self._refilled(fill, self._selection(mask, value)).images

    def step(self, fill: str, mask: str, value: str, what: str) -> Tensor:
        return self._step(fill, mask, value)[what]

    def ensemble_logits(self, alpha: str) -> Tensor:
        encoded: Encoded = self._ensemble(float(alpha))(self.batch.images)
        return encoded.logits

    def distillation(self, temperature: str) -> Tensor:
        meaning = self.meaning["kd"]
        loss = self._strategy("loss", meaning["loss"], {"temperature": temperature})
        teachers = {loss.teacher: self._ensemble(meaning["alpha"])}
        step = TrainingStep(self.student, self._task, {"kd": loss}, teachers, {})
        return step.measure(self.batch, _draw).terms[-1].value

    def _run_step(self, fill: str, mask: str, value: str) -> dict[str, Tensor]:
        meaning = self.meaning["step"]
        loss = self._strategy("loss", meaning["loss"], meaning["values"])
        selector = self._strategy("mask", mask, self._mask_values(mask, value))
        step = TrainingStep(
            self.student,
            self._task,
            {"mse": loss},
            {loss.teacher: self.teacher},
            {loss.view: View(selector, self._fill(fill), self._seen.cam)},
        )
        outputs = step.outputs(self.batch, _draw)
        result = step.objective(outputs)
        return {
            "student_features": outputs.student(loss.view).features,
            "teacher_features": outputs.teacher(loss.teacher, loss.view).features,
            "losses": torch.stack([*(term.value for term in result.terms), result.total]),
            "grad_norms": self._grad_norms(result.total),
        }

    def _grad_norms(self, total: Tensor) -> Tensor:
        by_name = dict(self.student.named_parameters())
        if surplus := [name for name in self.vectors.norm_order if name not in by_name]:
            raise DataError(f"{self.vectors.path}: metadata order names no parameter: {surplus}")
        parameters = [by_name[name] for name in self.vectors.norm_order]
        return torch.stack([g.norm() for g in torch.autograd.grad(total, parameters)])

    def _selection(self, name: str, value: str) -> MaskSelection:
        mask = self._strategy("mask", name, self._mask_values(name, value))
        selection: MaskSelection = mask.select(self.batch, self._seen)
        return selection

    def _mask_values(self, name: str, value: str) -> dict[str, str]:
        declaration = self.registry.declaration("mask", name)
        return {p: value for p in self.meaning["mask"]["parameters"] if declaration.param(p)}

    def _refilled(self, fill: str, selection: MaskSelection) -> Counterfactual:
        return self._fill(fill).refill(self.batch, selection, torch.Generator())

    def _fill(self, name: str) -> Refiller:
        if f"donor.{name}" not in self.vectors.tensors:
            filler: Refiller = self._strategy("fill", name, {})
            return filler
        donors = self.vectors[f"donor.{name}"]
        return DonorFill(donors if donors.ndim == 1 else donors.view(-1, *self._seen.grid))

    @property
    def _task(self) -> Task:
        task: Task = self._strategy("task", read_defaults().chosen["task"][0].use, {})
        return task

    def _cam(self, name: str) -> Cam:
        cam: Cam = self._strategy("cam", name, {})
        return cam

    def _strategy(self, kind: str, name: str, values: dict[str, Any]) -> Any:
        return self.registry.build(kind, name, values, {})

    def _ensemble(self, alpha: float) -> Classifier:
        model = self.vectors.model("student")
        model.load_weights(average_weights(self.teacher.weights(), self.student.weights(), alpha))
        return model


def _draw(purpose: str) -> torch.Generator:
    return torch.Generator()


_NAME, _NUMBER = r"[\w-]+", r"\d+(\.\d+)?"
_VALUE = f"(?P<mask>{_NAME})\\.(?P<value>{_NUMBER})"
_FORMS: dict[str, Callable[..., Tensor]] = {
    "features": lambda self: self._clean.clean.features,
    "logits": lambda self: self._clean.clean.logits,
    f"features\\.(?P<mask>{_NAME})\\.(?P<fill>{_NAME})\\.(?P<value>{_NUMBER})": (
        Recomputation.features_of_mask
    ),
    f"cam\\.(?P<name>{_NAME})": Recomputation.cam,
    f"mask\\.{_VALUE}": Recomputation.mask,
    f"counterfactual\\.(?P<fill>{_NAME})\\.{_VALUE}": Recomputation.counterfactual,
    f"step\\.(?P<fill>{_NAME})\\.{_VALUE}\\."
    "(?P<what>student_features|teacher_features|losses|grad_norms)": Recomputation.step,
    f"wise\\.(?P<alpha>{_NUMBER})\\.logits": Recomputation.ensemble_logits,
    f"kd\\.T(?P<temperature>{_NUMBER})": Recomputation.distillation,
}
"""Regular expressions for the names in vector files, each with the function that computes it."""
