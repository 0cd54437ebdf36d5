"""The hooks that plug-ins implement; each is called once per process, never inside a step.

A plug-in is a module named by an entry point of group `cfft`. It marks its functions with
`@cfft.hookimpl`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy

hookspec = pluggy.HookspecMarker("cfft")
hookimpl = pluggy.HookimplMarker("cfft")


@hookspec
def cfft_masks() -> Sequence[type[Any]]:
    """Return mask classes: they choose the patches to hide.

    >>> import torch
    >>> import cfft
    >>> @cfft.mask("checker")
    ... class CheckerMask:
    ...     '''Hide every n-th patch, as on a chessboard.'''
    ...     period: int = cfft.param(2, help="distance between hidden patches", ge=2)
    ...     def select(self, batch, view):
    ...         rows, columns = (torch.arange(n, device=batch.images.device) for n in view.grid)
    ...         hidden = (rows[:, None] + columns) % self.period == 0
    ...         return cfft.MaskSelection(hidden.expand(len(batch.images), -1, -1))
    >>> @cfft.hookimpl
    ... def cfft_masks():
    ...     return [CheckerMask]
    """


@hookspec
def cfft_fills() -> Sequence[type[Any]]:
    """Return fill classes: they put something in the place of hidden patches.

    >>> import torch
    >>> import cfft
    >>> @cfft.fill("grey")
    ... class GreyFill:
    ...     '''Paint hidden patches grey.'''
    ...     level: float = cfft.param(0.5, help="brightness", ge=0, le=1)
    ...     def refill(self, batch, selection, rng):
    ...         size = batch.images.shape[-2:]
    ...         hidden = torch.nn.functional.interpolate(selection.hidden[:, None].float(), size)
    ...         return cfft.Counterfactual(batch.images.masked_fill(hidden.bool(), self.level))
    >>> @cfft.hookimpl
    ... def cfft_fills():
    ...     return [GreyFill]
    """


@hookspec
def cfft_cams() -> Sequence[type[Any]]:
    """Return map classes: they score patches by their part in the prediction.

    >>> import cfft
    >>> @cfft.cam("late")
    ... class LateCam:
    ...     '''Use the last layer alone.'''
    ...     def explain(self, batch, view):
    ...         last = len(view.capture.layers) - 1
    ...         return cfft.relevance_scores(view.capture, view.clean.logits, batch.labels, last)
    >>> @cfft.hookimpl
    ... def cfft_cams():
    ...     return [LateCam]
    """


@hookspec
def cfft_teachers() -> Sequence[type[Any]]:
    """Return teacher classes: they give the frozen model that the student follows.

    >>> import cfft
    >>> @cfft.teacher("itself")
    ... class ItselfTeacher:
    ...     '''Follow the model as it was before fine-tuning.'''
    ...     def load(self, source):
    ...         return source.pretrained()
    >>> @cfft.hookimpl
    ... def cfft_teachers():
    ...     return [ItselfTeacher]
    """


@hookspec
def cfft_losses() -> Sequence[type[Any]]:
    """Return auxiliary losses: each measures one term of the objective.

    >>> import cfft
    >>> @cfft.loss("feature-l1")
    ... class FeatureL1(cfft.AuxLoss):
    ...     '''Mean absolute difference of the features on the original images.'''
    ...     needs = frozenset({"teacher.original"})
    ...     weight: float = cfft.param(1.0, help="factor in the objective", ge=0)
    ...     teacher: str = cfft.param("clip", help="label of the teacher to follow")
    ...     def measure(self, outputs):
    ...         target = outputs.teacher(self.teacher, "original")
    ...         return (outputs.student_original.features - target.features).abs().mean()
    >>> @cfft.hookimpl
    ... def cfft_losses():
    ...     return [FeatureL1]
    """


@hookspec
def cfft_tasks() -> Sequence[type[Any]]:
    """Return tasks: each says what is learnt from the labels.

    >>> import torch
    >>> import cfft
    >>> @cfft.task("squared-error")
    ... class SquaredError(cfft.Task):
    ...     '''Squared error of class probabilities (Brier score).'''
    ...     def measure(self, outputs):
    ...         logits = outputs.student_original.logits
    ...         right = torch.nn.functional.one_hot(outputs.batch.labels, logits.shape[1])
    ...         return (logits.softmax(dim=-1) - right).square().sum(dim=-1).mean()
    >>> @cfft.hookimpl
    ... def cfft_tasks():
    ...     return [SquaredError]
    """


@hookspec
def cfft_adaptations() -> Sequence[type[Any]]:
    """Return adaptations: each chooses which weights are trained.

    >>> import cfft
    >>> @cfft.adaptation("biases")
    ... class Biases(cfft.Adaptation):
    ...     '''Train the biases and the head.'''
    ...     def attach(self, model, rng):
    ...         named = model.named_parameters()
    ...         return [p for name, p in named if "bias" in name or name.startswith("head")]
    >>> @cfft.hookimpl
    ... def cfft_adaptations():
    ...     return [Biases]
    """


@hookspec
def cfft_averages() -> Sequence[type[Any]]:
    """Return averages of weights over steps: each weighs the newest weights.

    >>> import cfft
    >>> @cfft.average("late")
    ... class LateAverage(cfft.Average):
    ...     '''Average the weights of the last steps.'''
    ...     share: float = cfft.param(0.5, help="share of the steps that count", gt=0, le=1)
    ...     def weigh(self, step, steps):
    ...         counted = step - round((1 - self.share) * steps)
    ...         return 1.0 if counted <= 1 else 1 / counted
    >>> @cfft.hookimpl
    ... def cfft_averages():
    ...     return [LateAverage]
    """


@hookspec
def cfft_merges() -> Sequence[type[Any]]:
    """Return merges: each makes one model of several after training.

    >>> import cfft
    >>> @cfft.merge("half-way")
    ... class HalfWay(cfft.Merge):
    ...     '''Go half of the way from the pre-trained model to the first fine-tuned one.'''
    ...     def merge(self, start, tuned, score):
    ...         return cfft.average_weights(start, tuned[0], 0.5)
    >>> @cfft.hookimpl
    ... def cfft_merges():
    ...     return [HalfWay]
    """


@hookspec
def cfft_backbones() -> Sequence[type[Any]]:
    """Return backbone classes: they build pre-trained encoders.

    >>> import cfft
    >>> @cfft.backbone("mine")
    ... class MyBackbone:
    ...     '''Build the encoder of my laboratory.'''
    ...     def build(self, name, weights):
    ...         raise cfft.WeightsError(f"no model '{name}' here")
    >>> @cfft.hookimpl
    ... def cfft_backbones():
    ...     return [MyBackbone]
    """


@hookspec
def cfft_suites() -> Sequence[type[Any]]:
    """Return suite classes: they give images to train on and to be measured on.

    >>> from pathlib import Path
    >>> import cfft
    >>> @cfft.suite("two-folders")
    ... class TwoFolders(cfft.Suite):
    ...     '''Train on one folder of class folders, measure on another.'''
    ...     data: Path = cfft.param(help="folder that holds both")
    ...     def open(self, seed):
    ...         train = cfft.class_folders(self.data / "a", name="a")
    ...         test = cfft.class_folders(self.data / "b", name="b", classes=train.class_names)
    ...         return cfft.SuiteSets(train.class_names, train, train, test)
    >>> @cfft.hookimpl
    ... def cfft_suites():
    ...     return [TwoFolders]
    """


@hookspec
def cfft_exporters() -> Sequence[type[Any]]:
    """Return exporter classes: each writes models in the format of another program.

    >>> import torch
    >>> import cfft
    >>> @cfft.exporter("pickle")
    ... class Pickle(cfft.Exporter):
    ...     '''Write the whole model as one file for torch.load.'''
    ...     def export(self, model, folder):
    ...         torch.save(model.classifier, folder / "model.pt")
    ...     def reload(self, folder):
    ...         return torch.load(folder / "model.pt", weights_only=False)
    >>> @cfft.hookimpl
    ... def cfft_exporters():
    ...     return [Pickle]
    """


@hookspec
def cfft_run_started(config: Any, out: Path) -> None:
    """Called when a run starts; `config` is the resolved RunConfig, `out` the run directory.

    >>> import cfft
    >>> @cfft.hookimpl
    ... def cfft_run_started(config, out):
    ...     print("writing to", out)
    """


@hookspec
def cfft_epoch_ended(epoch: int, metrics: Mapping[str, float]) -> None:
    """Called when epoch `epoch`, counted from 1, ends, with its measurements.

    >>> import cfft
    >>> @cfft.hookimpl
    ... def cfft_epoch_ended(epoch, metrics):
    ...     print(epoch, metrics["val_top1"])
    """


@hookspec
def cfft_run_ended(results: Mapping[str, Any]) -> None:
    """Called when a run ends; `results` is what results.json holds.

    Where it fails, or the process ends meanwhile, a resumed run calls it again.

    >>> import cfft
    >>> @cfft.hookimpl
    ... def cfft_run_ended(results):
    ...     print(results["ood_average"])
    """
