"""One optimiser step: micro-batches, accumulation, clipping, AdamW and its schedule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from cfft.config.settings import Training
from cfft.data.loading import Loaded, on_device
from cfft.errors import ConfigError, PluginError, returned
from cfft.model.interfaces import Adaptation
from cfft.plugin.params import declaration
from cfft.runtime.devices import allow_unused_parameters, joined_rows
from cfft.runtime.randomness import generator
from cfft.step.engine import TrainingStep
from cfft.step.propagation import Propagate
from cfft.training.batches import BatchPlan
from cfft.training.parameters import frozen_names, groups, named_parameters
from cfft.training.schedule import Steps, make_scheduler

if TYPE_CHECKING:
    from accelerate import Accelerator


class Optimisation:
    """Change the student of a training step, one optimiser step at a time.

    Every draw comes from (`seed`, purpose, process, number of the micro-batch in the run), so
    that nothing random is carried from step to step.
    """

    def __init__(
        self,
        step: TrainingStep,
        training: Training,
        batches: BatchPlan,
        steps: Steps,
        seed: int,
        accelerator: Accelerator,
        adaptation: Adaptation,
    ) -> None:
        self.training, self.batches, self.seed = training, batches, seed
        self.total_steps = steps.total
        self.accelerator, self.student = accelerator, step.student
        self.adaptation = Adaptation.of(adaptation)
        self.parameters = _trained(step, adaptation, training.freeze, seed)
        self._text = step.text
        betas = (training.beta1, training.beta2)
        grouped = groups(self.parameters, self.student, training)
        self.optimizer = AdamW(grouped, betas=betas, fused=has_fused_adamw(accelerator) or None)
        self.scheduler = make_scheduler(self.optimizer, training, steps)
        if step.task.weight == 0:  # then perhaps nothing looks at the head
            allow_unused_parameters(accelerator)
        step.join = joined_rows(accelerator)
        self._step, self._stepper = accelerator.prepare(step, self.optimizer)

    @property
    def lr(self) -> float:
        """The learning rate of what is trained at the full rate, or else the highest one."""
        return float(max(group["lr"] for group in self.optimizer.param_groups))

    def take(self, number: int, loaded: Iterator[Loaded]) -> dict[str, Tensor]:
        """Take step `number`, counted from 0, on this process's next micro-batches.

        The gradient is that of the mean over all images of the step, whatever the sizes of the
        micro-batches. Returns "loss", every un-weighted term and "grad_norm" before clipping,
        detached scalars; nothing waits for the device.
        """
        sums: dict[str, Tensor] = {}
        for place in range(self.batches.accumulation):
            images, labels, ids = next(loaded)
            share = len(images) / self.batches.share
            is_last = place == self.batches.accumulation - 1
            with nullcontext() if is_last else self.accelerator.no_sync(self._step):
                propagate = self._propagation(share)
                values = self._measure(images, labels, ids, (number, place), propagate)
                propagate(values["total"])
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value.detach() * share
            if self.training.clip_at == "micro-batch" or is_last:
                norm = self._clip()
        self._stepper.step()
        self._stepper.zero_grad()
        if self._text is not None:
            self._text.limit_scale()
        if not self.accelerator.optimizer_step_was_skipped:
            self.scheduler.step()
        return {"loss": sums.pop("total"), **sums, "grad_norm": norm}

    def settle(self) -> None:
        """End what the adaptation does in training alone, before weights are read or measured."""
        self.adaptation.end_training(self.student)

    def tensors(self) -> dict[str, Tensor]:
        """Return the optimiser's tensors as "parameter.name", the parameter by its place."""
        state = self.optimizer.state_dict()["state"]
        return {f"{place}.{name}": t for place, inner in state.items() for name, t in inner.items()}

    def record(self) -> dict[str, Any]:
        """Return the rest of what `restore` needs, as JSON has it."""
        groups = self.optimizer.state_dict()["param_groups"]
        scaler = self.accelerator.scaler
        return {
            "groups": [{k: v for k, v in group.items() if k != "params"} for group in groups],
            "scheduler": self.scheduler.state_dict(),
            "total_steps": self.total_steps,
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def restore(self, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        """Go on from what `tensors` and `record` returned; the weights are the caller's.

        Where the run was to be of fewer steps, or to have other settings, the next step has those
        of now. Raises ConfigError for a schedule that cannot be made longer.
        """
        total = record.get("total_steps", self.total_steps)
        if self.total_steps != total and isinstance(self.scheduler, OneCycleLR):
            raise ConfigError(
                "--epochs: the schedule one-cycle ends with the epochs that the run was started "
                "with: start a new run"
            )
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            place, _, name = key.partition(".")
            state.setdefault(int(place), {})[name] = tensor
        fresh = self.optimizer.state_dict()["param_groups"]
        groups = [{**new, **old} for new, old in zip(fresh, record["groups"], strict=True)]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.scheduler.load_state_dict(dict(record["scheduler"]))
        self._take_settings(fresh)
        if self.accelerator.scaler is not None and record["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(record["scaler"])

    def _take_settings(self, fresh: Sequence[Mapping[str, Any]]) -> None:
        """Put the settings of now in place of stored ones: the same unless they were changed.

        `fresh`: the groups of parameters as they were made now, each with its own rate and decay.
        """
        scheduler, groups = self.scheduler, self.optimizer.param_groups
        for group, new in zip(groups, fresh, strict=True):
            group["weight_decay"] = new["weight_decay"]
        if isinstance(scheduler, LambdaLR):  # one-cycle moves beta1 too, and cannot be changed
            scheduler.base_lrs = [new["initial_lr"] for new in fresh]
            for group, new, factor in zip(groups, fresh, scheduler.lr_lambdas, strict=True):
                group["betas"] = new["betas"]
                group["initial_lr"] = new["initial_lr"]
                group["lr"] = new["initial_lr"] * factor(scheduler.last_epoch)

    def _propagation(self, share: float) -> Propagate:
        """Return the backward pass of what a micro-batch adds to the step: a share of its mean."""
        return lambda value: self.accelerator.backward(value * share)

    def _measure(
        self,
        images: Tensor,
        labels: Tensor,
        ids: Tensor,
        place: tuple[int, int],
        propagate: Propagate,
    ) -> dict[str, Tensor]:
        """Return the terms of a micro-batch; all of its gradient but that of "total" is there.

        `place`: the numbers of the step and of the micro-batch within it.
        """
        batch = on_device(images, labels, self.accelerator)
        step, number = place[0], place[0] * self.batches.accumulation + place[1]

        def draw(purpose: str) -> torch.Generator:
            return generator(self.seed, purpose, self.accelerator.process_index, number)

        self.adaptation.begin_step(self.student, draw("adaptation"))
        progress = step / self.total_steps
        known = tuple(labels.tolist())  # they are on the host
        values: dict[str, Tensor] = self._step(
            batch.images, batch.labels, draw, progress, propagate, ids.tolist(), known
        )
        return values

    def _clip(self) -> Tensor:
        limit = self.training.clip_norm or float("inf")
        norm: Tensor = self.accelerator.clip_grad_norm_(self.parameters, limit)
        if self.accelerator.scaler is not None:  # the scaler skips steps that overflow
            norm = norm.nan_to_num(nan=0.0, posinf=0.0)
        return norm


def has_fused_adamw(accelerator: Accelerator) -> bool:
    """Tell whether AdamW takes its step in one kernel; a resumed run keeps the one it began with.

    On a CPU it is not measured yet. Loss scaling asks the optimiser
    whether it has skipped a step, which the kernel decides without a word.
    """
    return accelerator.device.type == "cuda" and accelerator.scaler is None


def _trained(
    step: TrainingStep, adaptation: Adaptation, patterns: Sequence[str] | None, seed: int
) -> list[nn.Parameter]:
    """Attach the adaptation and return the parameters that are trained; the others are frozen.

    The text tower is trained where a term needs it so; a head made of prompts is not, nor what
    `patterns` name. Raises ConfigError where nothing is left to train, PluginError for parameters
    of another model.
    """
    student, name = step.student, declaration(type(adaptation)).name
    attached = Adaptation.of(adaptation).attach(student, generator(seed, "adapters"))
    those = [*returned(adaptation, "attach", attached, Iterable)]
    chosen = {id(parameter) for parameter in those}
    if not chosen <= {id(parameter) for parameter in student.parameters()}:
        raise PluginError(f"adaptation '{name}' returned parameters that are not the model's")
    if step.task.head_from_text:
        chosen -= {id(parameter) for parameter in student.head.parameters()}
    named = named_parameters(student, step.text)
    frozen = {name for names in frozen_names(patterns, named).values() for name in names}
    kept = {id(parameter) for name in frozen for parameter in named[name]}
    for parameter in student.parameters():
        parameter.requires_grad_(id(parameter) in chosen - kept)
    text = [] if step.text is None else [*step.text.parameters()]
    for parameter in (parameter for parameter in text if id(parameter) in kept):
        parameter.requires_grad_(False)
    trained = [p for p in (*student.parameters(), *text) if p.requires_grad]
    if not trained:
        why = ", and the head is made of prompts" if step.task.head_from_text else ""
        why += f", and --freeze names {len(frozen)} parameters" if frozen else ""
        raise ConfigError(
            f"adaptation '{name}' leaves nothing to train: it chose {len(those)} of the model's "
            f"parameters{why}; choose another --adaptation or its parameters"
        )
    return trained
