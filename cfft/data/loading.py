"""Turn labelled images into batches, in an order that can be resumed anywhere."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cfft.data.augmentation import Augmentation
from cfft.data.kept import KeptImages
from cfft.data.prepared.store import PreparedImages
from cfft.data.reading import reading_failure
from cfft.data.suite import ImageSet
from cfft.data.transform import fitting, image_transform
from cfft.errors import DataError, PluginFailedError
from cfft.records import Batch, Preprocessing
from cfft.runtime.interrupts import held_back, obey
from cfft.runtime.processors import default_workers
from cfft.runtime.randomness import generator

if TYPE_CHECKING:
    from accelerate import Accelerator

Loaded = tuple[Tensor, Tensor, Tensor]
_Item = tuple[Tensor, int, int]
_Asked = tuple[int, int | None]
_Unread = str | PluginFailedError


def to_batch(images: Tensor, labels: Tensor) -> Batch:
    """Scale `images` [B, 3, H, W], uint8, to 0..1 on the device where they are."""
    return Batch(images.float() / 255, labels)


def epoch_order(n: int, seed: int, epoch: int) -> list[int]:
    """Shuffle 0..n-1 for one epoch, in the same order on all processes."""
    return drawn_order(n, seed, epoch).tolist()


def drawn_order(n: int, seed: int, epoch: int) -> Tensor:
    """Return what `epoch_order` does in 8 bytes each: [n], int64."""
    return torch.randperm(n, generator=generator(seed, "order", step=epoch))


def balanced_order(labels: Sequence[int], seed: int, epoch: int) -> Tensor:
    """Draw as many indices as there are `labels`, with replacement, every class equally likely.

    torch's WeightedRandomSampler with weights of 1 / images of the class, the same on all
    processes: [N], int64.
    """
    _, places, counts = torch.tensor(labels).unique(return_inverse=True, return_counts=True)
    weights = counts.double().reciprocal()[places]  # [N]
    rng = generator(seed, "order", step=epoch)
    return torch.multinomial(weights, len(labels), replacement=True, generator=rng)


def batches(
    order: Sequence[int], micro_batch: int, drop_last: bool = False, smallest: int = 1
) -> list[list[int]]:
    """Cut `order` into batches of `micro_batch`.

    A last batch that is incomplete is left out with `drop_last`, or where it has fewer than
    `smallest` images: 2 where fills need a donor.
    """
    cut = [list(order[start : start + micro_batch]) for start in range(0, len(order), micro_batch)]
    least = micro_batch if drop_last else smallest
    return cut[:-1] if cut and len(cut[-1]) < least else cut


class Loader:
    """Load batches of one set with worker processes that are kept for the next epochs.

    `workers`: processes that decode; 0 decodes in this one, None as many as suit the machine.
    `pin`: copy batches to page-locked memory, for transfer to an accelerator. `augmentation`:
    changes images that are asked for with a number. `kept`: takes images in as they are decoded,
    and gives them from then on; not with an augmentation. `prepared`: images that are read in place
    of their files, unless the augmentation changes them. Touches no global random state.
    """

    def __init__(
        self,
        images: ImageSet,
        preprocessing: Preprocessing,
        workers: int | None = 0,
        pin: bool = False,
        augmentation: Augmentation | None = None,
        kept: KeptImages | None = None,
        prepared: PreparedImages | None = None,
    ) -> None:
        self._images, self._pin = images, pin
        self._kept = kept if augmentation is None else None
        workers = default_workers() if workers is None else workers
        self._asked = _Sampler()
        self._loader = DataLoader(
            _Tensors(
                images, image_transform(fitting(images, preprocessing)), augmentation, prepared
            ),
            batch_sampler=self._asked,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=pin,
            collate_fn=_collate,
            worker_init_fn=partial(_obey, os.getpid()),
            generator=torch.Generator(),
        )

    def load(
        self, wanted: Sequence[Sequence[int]], numbers: Sequence[Sequence[int]] | None = None
    ) -> Iterator[Loaded]:
        """Yield the batches of indices `wanted`, in order, as (images, labels, indices).

        `images`: [B, 3, H, W], uint8; `labels` and `indices`: [B], int64. `numbers`: one for each
        index, by which the augmentation draws; without them nothing is changed. Only the newest
        iteration may go on. Raises DataError naming an image that cannot be read, and
        where a worker process dies.
        """
        if self._kept is None:
            yield from self._decode(wanted, numbers)
        else:
            yield from self._load_kept(self._kept, wanted)

    def _load_kept(self, kept: KeptImages, wanted: Sequence[Sequence[int]]) -> Iterator[Loaded]:
        lacking = [kept.missing(indices) for indices in wanted]
        decoded = self._decode([missing for missing in lacking if missing])
        for indices, missing in zip(wanted, lacking, strict=True):
            if missing:
                images, labels, places = next(decoded)
                kept.keep(places, images)
            if len(missing) < len(indices):
                places = torch.tensor(indices)
                labels = torch.tensor([self._images.labels[index] for index in indices])
                images = kept.batch(places)
                images = images.pin_memory() if self._pin else images
            yield images, labels, places

    def _decode(
        self, wanted: Sequence[Sequence[int]], numbers: Sequence[Sequence[int]] | None = None
    ) -> Iterator[Loaded]:
        self._asked.ask(wanted, numbers)
        if not wanted:
            return
        with self._naming_death(wanted[0]), _starting_workers():
            loaded = iter(self._loader)
        for indices in wanted:
            with self._naming_death(indices):
                batch = next(loaded)
            if isinstance(batch, str):
                raise DataError(batch)
            if isinstance(batch, PluginFailedError):
                raise batch
            yield batch

    @contextmanager
    def _naming_death(self, indices: Sequence[int]) -> Iterator[None]:
        """Raise DataError where a worker died, naming the first image that was waited for."""
        try:
            yield
        except RuntimeError as error:
            if not str(error).startswith("DataLoader worker (pid"):
                raise
            first = self._images.identify(indices[0])
            raise DataError(
                f"a process that decodes images died at or after {first}, perhaps for lack of "
                "memory; use fewer (--workers)"
            ) from error


class _Sampler:
    """Pair the indices of each batch with their numbers when it is asked for, not all at once."""

    def __init__(self) -> None:
        self.ask((), None)

    def ask(self, wanted: Sequence[Sequence[int]], numbers: Sequence[Sequence[int]] | None) -> None:
        self._wanted, self._numbers = wanted, numbers

    def __len__(self) -> int:
        return len(self._wanted)

    def __iter__(self) -> Iterator[list[_Asked]]:
        if self._numbers is None:
            return ([(index, None) for index in indices] for indices in self._wanted)
        pairs = zip(self._wanted, self._numbers, strict=True)
        return (list(zip(*pair, strict=True)) for pair in pairs)


def _obey(main: int, worker: int) -> None:
    """Let the main process alone end its workers: it needs their batch to stop in order."""
    obey(main)


@contextmanager
def _starting_workers() -> Iterator[None]:
    """Start workers without a moment at which a signal could end one.

    Nor does torch hear of one that dies, for it would raise an error wherever this process is; who
    waits for a batch is told within seconds.
    """
    hears = hasattr(signal, "SIGCHLD") and threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGCHLD) if hears else None
    try:
        with held_back():
            yield
    finally:
        if before is not None:
            signal.signal(signal.SIGCHLD, before)


class _Tensors(Dataset[_Item | _Unread]):
    """Give errors as text, or as what names the code that failed.

    Raised in a worker, they would reach the user as a traceback.
    """

    def __init__(
        self,
        images: ImageSet,
        transform: Callable[[Any], Tensor],
        augmentation: Augmentation | None = None,
        prepared: PreparedImages | None = None,
    ) -> None:
        self.images = images
        self.transform, self.augmentation = transform, augmentation
        self.prepared = prepared

    def __getitem__(self, asked: _Asked) -> _Item | _Unread:
        index, number = asked
        try:
            if self.augmentation is None or number is None:
                image = self._as_it_is(index)
            else:
                image = self.augmentation(self.images.read(index), number)
        except DataError as error:
            return str(error)
        except BaseException as error:  # SystemExit too, which would end a worker without a word
            failure = reading_failure(self.images, index, error)
            if failure is None:
                raise
            return failure
        return image, self.images.labels[index], index

    def _as_it_is(self, index: int) -> Tensor:
        prepared = None if self.prepared is None else self.prepared.read(index)
        return self.transform(self.images.read(index)) if prepared is None else prepared


def _collate(items: Sequence[_Item | _Unread]) -> Loaded | _Unread:
    if errors := [item for item in items if isinstance(item, (str, PluginFailedError))]:
        return errors[0]
    read = [item for item in items if isinstance(item, tuple)]
    images, labels, indices = zip(*read, strict=True)
    return torch.stack(images), torch.tensor(labels), torch.tensor(indices)


def on_device(images: Tensor, labels: Tensor, accelerator: Accelerator) -> Batch:
    """Move what a Loader gave to the accelerator and scale it there."""
    device = accelerator.device
    return to_batch(images.to(device, non_blocking=True), labels.to(device, non_blocking=True))
