"""Measure a model on a set of pictures: every picture counts exactly once, on any device count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import attrs
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import gather_object
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.classification import multiclass_stat_scores

from cfft.data.loading import Loaded, Loader, to_batch
from cfft.data.pictures import counts_as, origins_of
from cfft.encoder import Classifier
from cfft.errors import ConfigError, DataError, WeightsError
from cfft.interfaces import PictureSet, Preprocessing
from cfft.intervals import share_ci95
from cfft.processes import Processes
from cfft.records import Batch
from cfft.rows import Rows, own_indices

Precision = Literal["fp32", "bf16", "fp16"]
Advanced = Callable[[int], None]
"""Hears how many pictures are done so far, on all processes together."""


def make_accelerator(precision: str) -> Accelerator:
    """Return the devices to compute on: an accelerator where there is one, else the CPU.

    `precision`: auto, fp32, bf16 or fp16; auto is bf16 where CUDA has it in hardware. Raises
    ConfigError for fp16 without an accelerator.
    """
    has_cuda = torch.cuda.is_available()
    if precision == "fp16" and not has_cuda:
        raise ConfigError("training.precision fp16 needs a GPU and there is none: use fp32 or bf16")
    chosen = _automatic(has_cuda) if precision == "auto" else precision
    mixed = "no" if chosen == "fp32" else chosen
    if is_initialized() and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()  # accelerate offers no other way to change a process's mind
    return Accelerator(mixed_precision=mixed, cpu=not has_cuda)


def processes_of(accelerator: Accelerator) -> Processes:
    """Return the processes that an accelerator knows of."""
    return Processes(accelerator.process_index, accelerator.num_processes, gather_object)


def precision_of(accelerator: Accelerator) -> str:
    """Name the precision that an accelerator computes in: fp32, bf16 or fp16."""
    return "fp32" if accelerator.mixed_precision == "no" else accelerator.mixed_precision


@attrs.frozen
class Reading:
    """Say how pictures reach a model: preprocessing, pictures per pass, decoding processes."""

    preprocessing: Preprocessing
    batch_size: int
    workers: int = 0


@attrs.frozen(eq=False)
class Predictions:
    """Hold what a model says of a set.

    `logits`: [N, K], float32. `labels`: [N], int64. `names`: one per picture. `classes`: the
    indices that may occur in the set. `stands_for`: [K], int64: the label that each class stands
    for, itself unless the set says otherwise (PictureSet.counts_as). All on the CPU. `origins`: the
    picture that each is a version of, empty where each stands for itself (PictureSet.origins).
    """

    logits: Tensor
    labels: Tensor
    names: tuple[str, ...]
    classes: tuple[int, ...]
    stands_for: Tensor = attrs.field()
    origins: tuple[str, ...] = ()

    @stands_for.default
    def _themselves(self) -> Tensor:
        return torch.arange(self.logits.shape[1])

    @property
    def original(self) -> NDArray[np.int64]:
        """The number of the picture that each is a version of, from 0 as they come: [N]."""
        names: Sequence[Any] = self.origins or range(len(self.labels))
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names], dtype=np.int64)

    def save(self, path: Path) -> None:
        """Write logits, labels, names and classes as arrays of an .npz file, without pickles.

        Nothing is compressed: logits hardly get smaller, and it takes longer than all other work.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            logits=self.logits.numpy(),
            labels=self.labels.numpy(),
            names=np.array(self.names, dtype=np.str_),
            classes=np.array(self.classes, dtype=np.int64),
            stands_for=self.stands_for.numpy(),
            origins=np.array(self.origins, dtype=np.str_),
        )

    @classmethod
    def load(cls, path: Path, known: int | None = None) -> Predictions:
        """Read what `save` wrote; raises DataError naming `path` for anything else.

        `known`: how many classes the logits have to be of, where that is written elsewhere.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                found = cls._from_arrays(stored)
        except Exception as error:  # numpy raises a dozen kinds for files that are damaged
            why = str(error) or type(error).__name__
            raise DataError(f"{path}: no predictions that cfft wrote ({why})") from error
        columns = found.logits.shape[1]
        if known is not None and columns != known:
            raise DataError(f"{path}: logits of {columns} classes, but {known} are named beside it")
        return found

    @classmethod
    def _from_arrays(cls, stored: Mapping[str, NDArray[Any]]) -> Predictions:
        logits, labels = (torch.from_numpy(stored[name]) for name in ("logits", "labels"))
        names, classes = (tuple(stored[name].tolist()) for name in ("names", "classes"))
        origins = tuple(stored["origins"].tolist()) if "origins" in stored else ()
        if not len(logits) == len(labels) == len(names) == len(origins or names):
            raise ValueError(
                f"{len(logits)} rows of logits, {len(labels)} labels, {len(names)} names, "
                f"{len(origins)} origins"
            )
        found = cls(logits, labels, names, classes, origins=origins)
        if "stands_for" in stored:
            found = attrs.evolve(found, stands_for=torch.from_numpy(stored["stands_for"]))
        wrong = _not_finite(logits, names)
        if wrong is not None:
            raise ValueError(wrong)
        known = range(logits.shape[1])
        outside = {*labels.tolist(), *classes, *found.stands_for.tolist()} - {*known}
        if outside:
            raise ValueError(f"logits of {len(known)} classes, but class {min(outside)} occurs")
        return found


@attrs.frozen
class Score:
    """Hold the top-1 accuracy on `n` pictures of `classes` classes.

    `top1`: share 0..1. `ci95`: its 95 % confidence interval after Clopper and Pearson (1934), where
    versions of one picture are no independent pictures; see `share_ci95`.
    """

    top1: float
    n: int
    classes: int
    ci95: tuple[float, float]

    def record(self, role: str) -> dict[str, Any]:
        """Return what results.json says of a set with this role, id or ood."""
        return {"role": role, **attrs.asdict(self), "ci95": list(self.ci95)}


def evaluate(
    classifier: Classifier,
    pictures: PictureSet,
    reading: Reading,
    accelerator: Accelerator,
    advanced: Advanced | None = None,
) -> Predictions:
    """Return a model's predictions for every picture of a set, the same on every process.

    `advanced` hears how many pictures are done. Raises DataError for an empty set and for a
    picture that cannot be read, WeightsError for logits that are not finite.
    """
    logits = outputs_of(
        lambda images: classifier(images).logits, pictures, reading, accelerator, advanced
    )
    return predictions_of(logits, pictures)


def predictions_of(logits: Tensor, pictures: PictureSet) -> Predictions:
    """Put what a model said, [N, K] in the order of a set, beside what the set says.

    Raises WeightsError for logits that are not finite: their arg-max would count as an answer, and
    infinite ones leave no probabilities.
    """
    names = tuple(pictures.identify(index) for index in range(len(pictures)))
    wrong = _not_finite(logits, names)
    if wrong is not None:
        raise WeightsError(
            f"set '{pictures.name}': the model's {wrong}: its weights are broken or its values "
            "overflow; try precision fp32"
        )
    found = Predictions(
        logits,
        torch.tensor(pictures.labels),
        names,
        tuple(pictures.classes),
        origins=origins_of(pictures),
    )
    for index, label in counts_as(pictures).items():
        found.stands_for[index] = label
    return found


def outputs_of(
    model: Callable[[Tensor], Tensor],
    pictures: PictureSet,
    reading: Reading,
    accelerator: Accelerator,
    advanced: Advanced | None = None,
) -> Tensor:
    """Return `model`'s outputs [N, ...] for every picture in order, float32 on the CPU.

    `model` takes images [B, 3, H, W] in 0..1 on the accelerator's device. Processes share the
    pictures out and all return everything; no gradients. Raises DataError as `evaluate` does: on
    the process that met the picture, and OtherProcessError on the others.
    """
    if not len(pictures):
        raise DataError(f"set '{pictures.name}' has no pictures to evaluate on")
    own = own_indices(len(pictures), accelerator.process_index, accelerator.num_processes)
    wanted = [own[i : i + reading.batch_size] for i in range(0, len(own), reading.batch_size)]
    pin = accelerator.device.type == "cuda"
    loader = Loader(pictures, reading.preprocessing, reading.workers, pin)
    processes = processes_of(accelerator)

    def gather(rows: Tensor) -> Tensor:
        processes.agree()
        return cast(Tensor, accelerator.gather(rows))

    rows = Rows(len(pictures), processes.count, gather)
    for outputs in processes.guarded(_each_batch(model, loader.load(wanted), accelerator)):
        rows.add(outputs)
        if advanced is not None:
            advanced(rows.added)
    return rows.all()


def on_device(images: Tensor, labels: Tensor, accelerator: Accelerator) -> Batch:
    """Move what a Loader gave to the accelerator and scale it there."""
    device = accelerator.device
    return to_batch(images.to(device, non_blocking=True), labels.to(device, non_blocking=True))


def score(predictions: Predictions) -> Score:
    """Return top-1 where the arg-max is taken over the set's own classes only.

    A class that stands for another label is right where that label is; see PictureSet.
    """
    correct, *_, n = multiclass_stat_scores(
        chosen_labels(predictions),
        predictions.labels,
        num_classes=predictions.logits.shape[1],
        average="micro",
    ).tolist()
    right = (chosen_labels(predictions) == predictions.labels).numpy()
    ends = share_ci95(right, predictions.original)
    return Score(correct / n, n, len(predictions.classes), ends)


def chosen_labels(predictions: Predictions) -> Tensor:
    """Return the label that the largest logit among the set's classes stands for: [N], int64."""
    classes = torch.tensor(predictions.classes)
    return predictions.stands_for[classes[predictions.logits[:, classes].argmax(dim=1)]]


def mean_top1(scores: Iterable[Score]) -> float | None:
    """Return the plain mean of accuracies, None where there are none."""
    shares: Sequence[float] = [each.top1 for each in scores]
    return sum(shares) / len(shares) if shares else None


def _not_finite(logits: Tensor, pictures: Sequence[str]) -> str | None:
    """Say which logits [N, K] are no finite numbers, None where all are."""
    broken = (~logits.isfinite()).any(dim=1).nonzero().flatten().tolist()
    if not broken:
        return None
    return (
        f"logits are not finite (NaN or infinite) for {len(broken)} of {len(pictures)} pictures, "
        f"the first is {pictures[broken[0]]}"
    )


def _automatic(has_cuda: bool) -> Precision:
    has_bf16 = has_cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if has_bf16 else "fp32"


def _each_batch(
    model: Callable[[Tensor], Tensor], loaded: Iterable[Loaded], accelerator: Accelerator
) -> Iterator[Tensor]:
    for images, labels, _ in loaded:
        yield _run(model, on_device(images, labels, accelerator), accelerator)


def _run(model: Callable[[Tensor], Tensor], batch: Batch, accelerator: Accelerator) -> Tensor:
    with torch.no_grad(), accelerator.autocast():
        outputs: Tensor = model(batch.images)
    return outputs.float()
