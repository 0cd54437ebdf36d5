"""Checkpoints: directories of safetensors and JSON, checked by digest, replaced in one stroke.

No file holds a pickle. A directory is written beside its final place, flushed to the disk, and
renamed; whenever the machine stops, either the old or the new checkpoint is complete.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from safetensors import SafetensorError

from cfft.errors import TrainingError, WeightsError
from cfft.model.file_formats import readable_path
from cfft.runtime.documents import read_json_file
from cfft.runtime.files import StoredFile, flush, naming, sibling
from cfft.runtime.json_files import SCHEMA, as_json, read_json

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "weights.safetensors"
MODEL = "model.json"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"
TRAINED = "training.safetensors"
MANIFEST = "manifest.json"
T = TypeVar("T")
_TRIES = 10


@attrs.frozen(kw_only=True)
class Manifest:
    """List the other files of a checkpoint by name, as manifest.json does."""

    schema: int = SCHEMA
    files: dict[str, StoredFile]


@attrs.frozen(eq=False)
class Checkpoint:
    """Hold a model, and the state of its training where training may go on from here.

    `weights`: tensors by name, as `Classifier.weights()` gives them. `model`: how to rebuild what
    they belong to; its `identity` is also written into the weight file, which may be copied away
    alone. `optimizer`: the optimiser's tensors by "parameter.name". `state`: everything
    else that a run remembers, as JSON has it. `trained`: tensors besides the model's that training
    changes, such as adapters, a text tower and the average of the weights.
    """

    weights: Mapping[str, Tensor]
    model: Mapping[str, Any]
    optimizer: Mapping[str, Tensor] | None = None
    state: Mapping[str, Any] | None = None
    trained: Mapping[str, Tensor] = attrs.field(factory=dict)


def save(directory: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint and put it in the place of an older one.

    Raises TrainingError where a weight is not finite, WeightsError where `directory` holds
    something else than a checkpoint; what it held then stays.
    """
    _require_checkpoint(directory)
    partial = sibling(directory, "partial")
    _remove(partial)
    try:
        partial.mkdir(parents=True)
        with naming(directory, partial):
            write_into(partial, checkpoint)
        _swap(partial, directory)
    finally:  # what is left of it would fill the disk
        shutil.rmtree(partial, ignore_errors=True)


def write_into(directory: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint into an empty directory; raises TrainingError as `save` does."""
    from cfft.model.weights import not_finite  # files alone are looked at without torch

    broken = not_finite(checkpoint.weights)
    if broken:
        raise TrainingError(
            f"{len(broken)} weights are not finite, the first is '{broken[0]}': they were not "
            "saved and the last good checkpoint is intact; lower training.lr or set clip_norm"
        )
    _write_files(directory, checkpoint)


def load(directory: Path) -> Checkpoint:
    """Read a checkpoint with its training state; raises WeightsError for missing, damaged files."""
    return _read(
        directory,
        lambda stored: Checkpoint(
            stored.tensors(WEIGHTS),
            stored.json(MODEL),
            stored.tensors(OPTIMIZER) if OPTIMIZER in stored.files else None,
            stored.json(STATE) if STATE in stored.files else None,
            stored.tensors(TRAINED) if TRAINED in stored.files else {},
        ),
    )


def load_model(directory: Path) -> Checkpoint:
    """Read weights and model alone; raises as `load` does."""
    return _read(directory, lambda stored: Checkpoint(stored.tensors(WEIGHTS), stored.json(MODEL)))


def load_state(directory: Path) -> Mapping[str, Any]:
    """Read the state of the training alone, empty where there is none; raises as `load` does."""
    return _read(directory, lambda stored: stored.json(STATE) if STATE in stored.files else {})


def verify(directory: Path) -> None:
    """Compare every file of a checkpoint with its digest; raises WeightsError."""
    _read(directory, lambda stored: [stored.verified(name) for name in stored.files])


def tidy(directory: Path) -> None:
    """Remove what a process that was killed left beside a checkpoint; the newest one stays.

    No other process may be writing there.
    """
    found, previous = _newest(directory), sibling(directory, "previous")
    shutil.rmtree(sibling(directory, "partial"), ignore_errors=True)
    if found == previous:
        shutil.rmtree(directory, ignore_errors=True)
        previous.rename(directory)
        flush(directory.parent)
    elif found is not None:
        shutil.rmtree(previous, ignore_errors=True)


def is_checkpoint(directory: Path) -> bool:
    """Tell whether a complete checkpoint lies there."""
    return _newest(directory) is not None


def located(directory: Path) -> Path:
    """Return where the newest complete checkpoint of this name lies; raises WeightsError.

    That is `directory`, or its predecessor where the machine stopped between two renames.
    """
    found = _newest(directory)
    if found is None:
        raise WeightsError(f"no checkpoint in {directory}: it has no {MANIFEST}")
    return found


def write_weights(path: Path, weights: Mapping[str, Tensor], identity: Mapping[str, str]) -> None:
    """Write a weight file that says by `identity` whose weights they are."""
    _write_tensors(path, weights, identity)


def _write_files(directory: Path, checkpoint: Checkpoint) -> None:
    identity = checkpoint.model.get("identity", {})
    _write_tensors(directory / WEIGHTS, checkpoint.weights, identity)
    _write_json(directory / MODEL, checkpoint.model)
    if checkpoint.optimizer is not None:
        _write_tensors(directory / OPTIMIZER, checkpoint.optimizer)
    if checkpoint.trained:
        _write_tensors(directory / TRAINED, checkpoint.trained)
    if checkpoint.state is not None:
        _write_json(directory / STATE, checkpoint.state)
    written = sorted(directory.iterdir())
    files = {path.name: StoredFile.of(path) for path in written}
    _write_json(directory / MANIFEST, as_json(Manifest(files=files)))
    for path in (*directory.iterdir(), directory):
        flush(path)


def _write_tensors(
    path: Path, tensors: Mapping[str, Tensor], identity: Mapping[str, str] | None = None
) -> None:
    from safetensors.torch import save_file

    from cfft.model.weights import identity_metadata

    path.touch()
    mode = path.stat().st_mode
    content = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    with naming(path):
        save_file(content, path, identity_metadata(identity or {}))
    path.chmod(mode)  # safetensors writes files that only their owner may read


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _swap(partial: Path, directory: Path) -> None:
    previous = sibling(directory, "previous")
    if directory.exists():
        _remove(previous)
        directory.rename(previous)
    partial.rename(directory)
    flush(directory.parent)
    shutil.rmtree(previous, ignore_errors=True)  # where it stays, the next swap says why


def _remove(directory: Path) -> None:
    """Remove a directory where there is one; raises OSError where that is not possible."""
    if directory.exists():
        shutil.rmtree(directory)


def _require_checkpoint(directory: Path) -> None:
    """Raise WeightsError for a directory that a checkpoint must not take the place of."""
    if directory.is_dir() and any(directory.iterdir()) and not (directory / MANIFEST).is_file():
        raise WeightsError(
            f"{directory} holds other files than a checkpoint's (no {MANIFEST}): move it away"
        )


def _read(directory: Path, read: Callable[[_CheckpointFiles], T]) -> T:
    """Read files that belong together, again where a run puts a newer checkpoint in their place."""
    for _ in range(_TRIES):
        before = _manifest_of(directory)
        try:
            found = read(_CheckpointFiles.at(directory))
        except (WeightsError, OSError):
            if _manifest_of(directory) == before:
                raise
        else:
            if _manifest_of(directory) == before:
                return found
    raise WeightsError(
        f"the checkpoint in {directory} is replaced faster than it can be read: wait until the run "
        "that writes it has ended"
    )


def _manifest_of(directory: Path) -> bytes | None:
    found = _newest(directory)
    with suppress(OSError):
        return None if found is None else (found / MANIFEST).read_bytes()
    return None


def _newest(directory: Path) -> Path | None:
    places = (directory, sibling(directory, "previous"))
    return next((place for place in places if (place / MANIFEST).is_file()), None)


@attrs.frozen
class _CheckpointFiles:
    directory: Path
    files: Mapping[str, StoredFile]

    @classmethod
    def at(cls, directory: Path) -> _CheckpointFiles:
        found = located(directory)
        return cls(found, read_json(found / MANIFEST, Manifest, "manifest", WeightsError).files)

    def verified(self, name: str) -> Path:
        path = self.directory / name
        if name not in self.files or not path.is_file():
            raise WeightsError(
                f"the checkpoint in {self.directory} is incomplete: it has no {name}"
            )
        expected, actual = self.files[name], StoredFile.of(path)
        if actual.sha256 != expected.sha256:
            raise WeightsError(
                f"{path} is damaged: its SHA-256 is {actual.sha256} ({actual.bytes} bytes), "
                f"{MANIFEST} says {expected.sha256} ({expected.bytes} bytes): "
                "restore it from a copy, or start a new run"
            )
        return path

    def tensors(self, name: str) -> dict[str, Tensor]:
        from safetensors.torch import load_file

        path = self.verified(name)
        try:
            with readable_path(path) as place:
                return load_file(place)
        except SafetensorError as error:
            raise WeightsError(f"{path} is no safetensors file: {error}") from None

    def json(self, name: str) -> Mapping[str, Any]:
        path = self.verified(name)
        try:
            found = read_json_file(path)
        except (OSError, ValueError) as error:
            raise WeightsError(f"{path} is no JSON file: {error}") from None
        if not isinstance(found, dict):
            raise WeightsError(f"{path} holds no JSON object: restore it, or start a new run")
        return found
