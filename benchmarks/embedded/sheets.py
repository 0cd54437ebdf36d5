"""Draw the sheets of sample images in the docs: `python -m benchmarks.embedded.sheets`.

One sheet per set, one image per class, in the order of the class names.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cfft_suites.shapes.adversarial import adversarial_indices
from cfft_suites.shapes.raster import Bytes
from cfft_suites.shapes.world import CLASS_NAMES, RULES, draw_image

_COLUMNS = 12
_FOLDER = Path(__file__).parents[2] / "docs" / "shapes"


def main() -> None:
    """Write one image file per set."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    for name in RULES:
        if name != "val":
            Image.fromarray(sheet(name)).save(_FOLDER / f"{name}.png", optimize=True)


def sheet(name: str) -> Bytes:
    """Return the first image of each class of a set, in rows of twelve."""
    numbers = adversarial_indices() if name == "adversarial" else range(len(CLASS_NAMES))
    first = {number % len(CLASS_NAMES): number for number in reversed(numbers)}
    tiles = [
        draw_image(RULES[name], first[label], confounding=0.95).pixels
        for label in range(len(CLASS_NAMES))
    ]
    rows = [
        np.concatenate(tiles[at : at + _COLUMNS], axis=1) for at in range(0, len(tiles), _COLUMNS)
    ]
    return np.concatenate(rows, axis=0)


if __name__ == "__main__":
    main()
