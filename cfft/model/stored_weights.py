"""Weights on disk that are read when they are needed, so that many models need little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import attrs
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cfft.model.description import find_weights, read_weights
from cfft.model.file_formats import is_safetensors, readable_path
from cfft.model.nests import unwrapped

Weights = Mapping[str, Tensor]


class LazyWeights(Mapping[str, Tensor]):
    """Hold weights that are computed or read at the first access, and kept."""

    def __init__(self, load: Callable[[], Weights]) -> None:
        self._load = load
        self._held: Weights | None = None

    def __getitem__(self, name: str) -> Tensor:
        return self._weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    @property
    def _weights(self) -> Weights:
        if self._held is None:
            self._held = self._load()
        return self._held


@attrs.define(eq=False)
class StoredWeights(Sequence[Weights]):
    """Read the weights of stored models one by one; each access reads from the disk again.

    `paths`: runs (their best), checkpoint folders and weight files. Of safetensors files only the
    tensor that is asked for is read. Each file is checked at its first access: raises WeightsError
    as `read_weights` does. `used`: the positions that were accessed. `warnings`: lines for the
    user about files that were accessed, as in WeightFile.
    """

    paths: Sequence[Path]
    used: set[int] = attrs.field(factory=set, init=False)
    warnings: list[str] = attrs.field(factory=list, init=False)
    # safetensors files that may be read lazily, as their names are those of the model
    _checked: set[Path] = attrs.field(factory=set, init=False)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Weights: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Weights]: ...
    def __getitem__(self, index: int | slice) -> Weights | Sequence[Weights]:
        """Return the weights at a position; of a slice, a list that holds all of them."""
        if isinstance(index, slice):
            return [self[position] for position in range(len(self))[index]]
        position = range(len(self))[index]
        self.used.add(position)
        path = find_weights(self.paths[position])
        if path in self._checked:
            return _FileWeights(path)
        file = read_weights(path)
        self.warnings.extend(line for line in file.warnings if line not in self.warnings)
        found = file.tensors
        if not is_safetensors(path) or found.keys() != _FileWeights(path).keys():
            return found
        self._checked.add(path)
        return _FileWeights(path)


def shapes_of(path: Path) -> Weights:
    """Return the tensors of a weight file without their values, on the device `meta`.

    Raises WeightsError where it cannot be read.
    """
    if not is_safetensors(path):
        return {name: value.to("meta") for name, value in read_weights(path).tensors.items()}
    try:
        with _open(path) as file:
            sizes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        read_weights(path)  # says what is wrong with it
        raise
    return unwrapped({name: torch.empty(size, device="meta") for name, size in sizes.items()})


class _FileWeights(Mapping[str, Tensor]):
    """Read each tensor of a safetensors file when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open(path)
        self._names: list[str] = list(self._file.keys())

    def __getitem__(self, name: str) -> Tensor:
        try:
            tensor: Tensor = self._file.get_tensor(name)
        except SafetensorError:
            raise KeyError(name) from None
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _open(path: Path) -> Any:
    """Open a safetensors file, whose methods have no types."""
    with readable_path(path) as place:
        return safe_open(place, framework="pt")
