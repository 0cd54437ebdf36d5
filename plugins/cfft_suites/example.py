"""Small images on disk, for the examples that suites bring to be checked with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_CLASSES = ("blue", "red")
_PER_CLASS = 10
_COLOURS = ((40, 40, 200), (200, 40, 40))


def write_images(
    root: Path, shade: int = 0, classes: Sequence[str] = _CLASSES
) -> list[tuple[Path, str]]:
    """Write root/<class>/<number>.png, plain images in two colours; return paths and classes.

    Each image is darker than the last; `shade` makes all of them darker.
    """
    from PIL import Image

    written = []
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        colour = _COLOURS[label % 2]
        for number in range(_PER_CLASS):
            path = root / name / f"{number}.png"
            darker = tuple(max(0, level - shade - number) for level in colour)
            Image.new("RGB", (32, 32), darker).save(path)
            written.append((path, name))
    return written
