"""Files of parity vectors: their sizes, two models, and tensors."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cfft.encoder.encoder import Classifier, Encoder, Head
from cfft.encoder.towers import open_clip_tower
from cfft.errors import DataError, shortened_list
from cfft.records import Batch, Preprocessing

_INPUTS = ("images", "labels", "student.", "teacher.", "donor.")
_SIZES = ("image_size", "patch_size", "width", "layers", "heads", "embed_dim")
_METADATA = (*_SIZES, "act", "mean", "std", "order")
_ACTIVATIONS = {"quick_gelu": True, "gelu": False}
_PARAMETERS = {"backbone.": "encoder.tower.", "visual.": "encoder.tower.", "classifier.": "head."}


@attrs.frozen(eq=False)
class VectorFile:
    """Hold the tensors and the metadata of a vector file."""

    path: Path
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> VectorFile:
        """Read `path`; raises DataError unless it is a safetensors file with all metadata."""
        if not path.is_file():
            raise DataError(f"there is no file {path}")
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.offset_keys()}
                metadata = file.metadata() or {}
        except (OSError, SafetensorError) as error:
            raise DataError(f"cannot read {path} as a safetensors file: {error}") from error
        if missing := [name for name in _METADATA if name not in metadata]:
            lacks = shortened_list(missing)
            raise DataError(f"{path} is not a file of parity vectors: its metadata lacks {lacks}")
        return cls(path, tensors, metadata)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.tensors:
            raise DataError(f"{self.path} lacks '{name}', which other quantities need")
        return self.tensors[name]

    @property
    def inputs(self) -> list[str]:
        """List the tensors that are given, not computed."""
        return sorted(name for name in self.tensors if name.startswith(_INPUTS))

    @property
    def quantities(self) -> list[str]:
        """List the tensors that are to be recomputed."""
        return sorted(name for name in self.tensors if not name.startswith(_INPUTS))

    @property
    def batch(self) -> Batch:
        """The images and their labels."""
        return Batch(self["images"], self["labels"])

    @property
    def norm_order(self) -> list[str]:
        """Names of the student's parameters, as a Classifier has them, in `grad_norms`' order."""
        names = self.metadata["order"].rpartition(":")[2].split(",")
        return [_parameter(name.strip()) for name in names]

    def model(self, which: str) -> Classifier:
        """Build the model whose weights are named `student.*` or `teacher.*`."""
        weights = {
            name.removeprefix(f"{which}."): value
            for name, value in self.tensors.items()
            if name.startswith(f"{which}.")
        }
        head = Head(self[f"{which}.head.weight"], self[f"{which}.head.bias"], normalised=True)
        model = Classifier(self._encoder(), head)
        model.load_weights(weights)
        return model

    def _encoder(self) -> Encoder:
        size, width = _pair(self._value("image_size")), int(self._value("width"))
        activation = self.metadata["act"]
        if activation not in _ACTIVATIONS:
            allowed = ", ".join(_ACTIVATIONS)
            raise DataError(f"{self.path}: act is '{activation}', allowed: {allowed}")
        hidden = self["student.visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0]
        with torch.random.fork_rng(devices=[]):
            tower = open_clip_tower(
                size=size,
                patch=_pair(self._value("patch_size")),
                width=width,
                layers=int(self._value("layers")),
                heads=int(self._value("heads")),
                dim=int(self._value("embed_dim")),
                mlp_ratio=hidden / width,
                quick_gelu=_ACTIVATIONS[activation],
            )
        mean, std = self._value("mean"), self._value("std")
        return Encoder(tower, Preprocessing(size, min(size), "bicubic", mean, std))

    def _value(self, name: str) -> Any:
        try:
            return literal_eval(self.metadata[name])
        except (ValueError, SyntaxError) as error:
            text = self.metadata[name]
            raise DataError(f"{self.path}: metadata {name} is '{text}', no number(s)") from error


def _parameter(name: str) -> str:
    for prefix, own in _PARAMETERS.items():
        if name.startswith(prefix):
            return own + name.removeprefix(prefix)
    return name


def _pair(value: Any) -> tuple[int, int]:
    height, width = value if isinstance(value, (tuple, list)) else (value, value)
    return int(height), int(width)
