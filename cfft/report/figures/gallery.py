"""The sheets of counterfactual images, one per configuration."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from cfft.config.comparison import settings
from cfft.data.images import decode_image
from cfft.report.sources.records import Run, by_group

_QUALITY = 88
_IN_CAPTIONS = ("mask.", "fill.", "cam.")


@attrs.frozen
class Sheet:
    """Hold a sheet of counterfactual images.

    `configurations`: those whose sheets look alike. `words`: its mask, fill and cam. `address`: a
    data URI. `size`: in pixels.
    """

    configurations: str
    seed: int | None
    words: str
    address: str
    size: tuple[int, int]


def sheets(runs: Sequence[Run]) -> Iterator[Sheet]:
    """Go through the sheets of the first run of each configuration; those that are alike once."""
    alike: dict[bytes, list[Run]] = {}
    for first, *_ in by_group(run for run in runs if run.sheet is not None).values():
        if first.sheet is not None:
            alike.setdefault(first.sheet.read_bytes(), []).append(first)
    for image, makers in alike.items():
        address, size = _embedded(image, makers[0].sheet)
        names = ", ".join(run.group for run in makers)
        yield Sheet(names, makers[0].seed, _words(makers[0]), address, size)


def _words(run: Run) -> str:
    said = settings(run.config).items()
    chosen = [(key, value) for key, value in said if key.startswith(_IN_CAPTIONS)]
    return ", ".join(f"{k.removesuffix('.use').replace('.', ' ')} {v}" for k, v in chosen)


def _embedded(image: bytes, path: Path | None) -> tuple[str, tuple[int, int]]:
    opened, written = decode_image(image, str(path)), io.BytesIO()
    opened.save(written, "WEBP", quality=_QUALITY)
    return f"data:image/webp;base64,{b64encode(written.getvalue()).decode()}", opened.size
