"""Measure a model on a set of images: every image counts exactly once, on any device count."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import torch
from torch import Tensor

from cfft.data.augmentation import Augmentation
from cfft.data.images import origins_of
from cfft.data.kept import KeptSets
from cfft.data.loading import Loaded, Loader, on_device
from cfft.data.prepared.store import PreparedSets
from cfft.data.suite import ImageSet
from cfft.data.transform import Sizing, sizing
from cfft.encoder.encoder import Classifier
from cfft.errors import DataError, WeightsError
from cfft.records import Batch, Preprocessing
from cfft.runtime.devices import processes_of
from cfft.runtime.mapped import mapped_zeros
from cfft.runtime.progress import Advance, ignore
from cfft.scoring.gathering import IN_MEMORY_BYTES, Allocate, GatheredRows, own_indices
from cfft.scoring.intervals import share_ci95
from cfft.scoring.loaded_model import LoadedModel
from cfft.scoring.predictions import Predictions, correct_images, not_finite
from cfft.scoring.results import Role, SetResult

if TYPE_CHECKING:
    from accelerate import Accelerator


@attrs.frozen
class Reading:
    """Hold how images reach a model: preprocessing, images per pass, decoding processes.

    `kept`: the sets whose decoded images stay in memory. `prepared`: finds prepared images.
    `scratch`: a folder whose disk has room for outputs that are too many for the memory.
    """

    preprocessing: Preprocessing
    batch_size: int
    workers: int | None = 0
    kept: KeptSets = attrs.field(factory=KeptSets)
    prepared: PreparedSets = attrs.field(factory=PreparedSets)
    scratch: Path | None = None

    def loader(
        self, images: ImageSet, pin: bool = False, augmentation: Augmentation | None = None
    ) -> Loader:
        """Return what loads a set, from memory and from prepared images where they are there.

        With an augmentation each image is made of its file.
        """
        given = (images, self.preprocessing, self.workers, pin)
        if augmentation is not None:
            return Loader(*given, augmentation)
        kept = self.kept.of(images, self.preprocessing)
        prepared = self.prepared.of(images, self.preprocessing)
        return Loader(*given, kept=kept, prepared=prepared)


def predictions_on(
    classifier: Classifier,
    image_set: ImageSet,
    reading: Reading,
    accelerator: Accelerator,
    advance: Advance = ignore,
) -> Predictions:
    """Return a model's predictions for every image of a set, the same on every process.

    `advance` hears how many images are done. Raises DataError for an empty set and for an image
    that cannot be read, WeightsError for logits that are not finite.
    """
    logits = outputs_of(
        lambda images: classifier(images).logits, image_set, reading, accelerator, advance
    )
    return predictions_of(logits, image_set)


def predictions_of(logits: Tensor, image_set: ImageSet) -> Predictions:
    """Join logits [N, K], in the order of a set, with the names and labels of the set.

    Raises WeightsError for logits that are not finite: their arg-max would count as an answer, and
    infinite ones leave no probabilities.
    """
    names = tuple(image_set.identify(index) for index in range(len(image_set)))
    wrong = not_finite(logits, names)
    if wrong is not None:
        raise WeightsError(
            f"set '{image_set.name}': the model's {wrong}: its weights are broken or its values "
            "overflow; try precision fp32"
        )
    found = Predictions(
        logits,
        torch.tensor(image_set.labels),
        names,
        tuple(image_set.classes),
        origins=origins_of(image_set),
    )
    for index, label in ImageSet.of(image_set).counts_as.items():
        found.stands_for[index] = label
    return found


def outputs_of(
    model: Callable[[Tensor], Tensor],
    image_set: ImageSet,
    reading: Reading,
    accelerator: Accelerator,
    advance: Advance = ignore,
) -> Tensor:
    """Return `model`'s outputs [N, ...] for every image in order, float32 on the CPU.

    `model` takes images [B, 3, H, W] in 0..1 on the accelerator's device. Processes share the
    images out and all return everything; no gradients. More than IN_MEMORY_BYTES lie in a temporary
    file. Raises DataError as `evaluate` does: on the process that met the image, and
    OtherProcessError on the others; OSError where the disk is full.
    """

    def measure(batch: Batch) -> list[Tensor]:
        return [model(batch.images).float()]

    return rows_of(measure, image_set, reading, accelerator, advance)[0]


def rows_of(
    measure: Callable[[Batch], Sequence[Tensor]],
    image_set: ImageSet,
    reading: Reading,
    accelerator: Accelerator,
    advance: Advance = ignore,
    allocate: Allocate | None = None,
) -> list[Tensor]:
    """Return several outputs for every image in order, each [N, ...], on the CPU.

    `measure` returns rows [B, ...] for the images of a batch, equally many tensors each time;
    `allocate` makes what they are kept in, by default memory or, for many, a temporary file.
    Otherwise as `outputs_of`.
    """
    if not len(image_set):
        raise DataError(f"set '{image_set.name}' has no images to evaluate on")
    own = own_indices(len(image_set), accelerator.process_index, accelerator.num_processes)
    wanted = [own[i : i + reading.batch_size] for i in range(0, len(own), reading.batch_size)]
    pin = accelerator.device.type == "cuda"
    loader = reading.loader(image_set, pin)
    processes = processes_of(accelerator)

    def gather(rows: Tensor) -> Tensor:
        processes.agree()
        return cast(Tensor, accelerator.gather(rows))

    def by_size(shape: tuple[int, ...], *, dtype: torch.dtype) -> Tensor:
        if math.prod(shape) * dtype.itemsize <= IN_MEMORY_BYTES:
            return torch.empty(shape, dtype=dtype)
        return processes.each(lambda: mapped_zeros(shape, dtype, reading.scratch))

    chosen = by_size if allocate is None else allocate
    kept: list[GatheredRows] = []
    for outputs in processes.guarded(_each_batch(measure, loader.load(wanted), accelerator)):
        while len(kept) < len(outputs):
            kept.append(GatheredRows(len(image_set), processes.count, gather, allocate=chosen))
        for rows, each in zip(kept, outputs, strict=True):
            rows.add(each)
        advance(kept[0].added)
    return [rows.all() for rows in kept]


def alike(models: Mapping[int, LoadedModel]) -> list[list[int]]:
    """Return the positions of the models that see the same pixels, group by group."""
    groups: dict[Sizing, list[int]] = {}
    for position, model in models.items():
        groups.setdefault(sizing(model.preprocessing), []).append(position)
    return list(groups.values())


def predict_together(
    models: Sequence[LoadedModel],
    image_set: ImageSet,
    reading: Reading,
    accelerator: Accelerator,
    advance: Advance = ignore,
) -> Iterator[Predictions]:
    """Return the predictions of each model for a set.

    All see the same pixels and are on the device. Raises DataError naming set and
    image where one cannot be read.
    """

    def together(images: Tensor) -> Tensor:
        return torch.stack([model.logits(images) for model in models], dim=1)  # [B, models, K]

    try:
        logits = outputs_of(together, image_set, reading, accelerator, advance)
    except DataError as error:
        raise DataError(
            f"set '{image_set.name}': {error}; fix or remove it, or leave it out with "
            "--skip-unreadable"
        ) from error
    return (predictions_of(each, image_set) for each in logits.unbind(dim=1))


def score(predictions: Predictions, role: Role = "id") -> SetResult:
    """Return top-1 where the arg-max is taken over the set's own classes only.

    A class that stands for another label is right where that label is; see ImageSet.
    """
    right, n = correct_images(predictions), len(predictions.labels)
    ends = share_ci95(right.numpy(), predictions.original)
    return SetResult(role, int(right.sum()) / n, n, len(predictions.classes), ends)


def _each_batch(
    measure: Callable[[Batch], Sequence[Tensor]],
    loaded: Iterable[Loaded],
    accelerator: Accelerator,
) -> Iterator[Sequence[Tensor]]:
    for images, labels, _ in loaded:
        batch = on_device(images, labels, accelerator)
        with torch.no_grad(), accelerator.autocast():
            outputs = measure(batch)
        yield outputs
