"""Sets of the world on disk: drawn once, checked by their hash, written atomically."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from cfft import DataError

from .raster import SIZE, Bytes, Mask
from .world import CLASS_NAMES, WORLD, Image, SetRule, draw_image


@attrs.frozen(eq=False)
class DrawnImages:
    """Hold the images of a set.

    `pixels`: [N, 64, 64, 3]. `masks`: [N, 64, 64], True = object. `labels`: [N].
    `families`, `styles`: background and style of each image, by name.
    """

    pixels: Bytes
    masks: Mask
    labels: NDArray[np.int64]
    families: tuple[str, ...]
    styles: tuple[str, ...]


def cache_folder(chosen: Path | None) -> Path:
    """Return where images are kept: `chosen`, or below the user's cache directory."""
    return (chosen or user_cache_path("cfft", appauthor=False)) / WORLD


def stored_set(
    rule: SetRule, indices: Sequence[int], confounding: float, folder: Path
) -> DrawnImages:
    """Return images `indices` of a set, from `folder` or drawn and put there.

    A file that is damaged is drawn again. Raises DataError where the folder cannot be written.
    """
    file = folder / f"{rule.name}-{len(indices)}-{_key(rule, indices, confounding)}.npz"
    if _intact(file):
        return _read(file)
    sys.stderr.write(f"drawing {len(indices)} images of shapes/{rule.name} into {file}\n")
    images = [draw_image(rule, index, confounding) for index in indices]
    try:
        _write(file, images)
    except OSError as error:
        raise DataError(
            f"cannot keep the drawn images in {folder}: {error.strerror}; "
            "choose another folder (--suite.shapes.cache DIR)"
        ) from error
    return _read(file)


def _key(rule: SetRule, indices: Sequence[int], confounding: float) -> str:
    facts = repr((WORLD, CLASS_NAMES, rule, tuple(indices), confounding))
    return sha256(facts.encode()).hexdigest()[:12]


def _intact(file: Path) -> bool:
    digest = file.with_suffix(".sha256")
    try:
        return digest.read_text() == sha256(file.read_bytes()).hexdigest()
    except (OSError, ValueError):  # ValueError: no text
        return False


def _read(file: Path) -> DrawnImages:
    with np.load(file) as arrays:
        masks = np.unpackbits(arrays["masks"], axis=-1, count=SIZE).astype(bool)
        families, styles = (tuple(arrays[key].tolist()) for key in ("families", "styles"))
        return DrawnImages(arrays["pixels"], masks, arrays["labels"], families, styles)


def _write(file: Path, images: Sequence[Image]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        partial = Path(folder, file.name)  # other users of a shared cache may read what is in it
        np.savez(
            partial,
            pixels=np.stack([image.pixels for image in images]),
            masks=np.packbits([image.mask for image in images], axis=-1),
            labels=np.array([image.label for image in images]),
            families=[image.family for image in images],
            styles=[image.style for image in images],
        )
        os.replace(partial, file)
    file.with_suffix(".sha256").write_text(sha256(file.read_bytes()).hexdigest())
