"""Small images on disk, for the examples that suites bring to be checked with."""

from __future__ import annotations

from pathlib import Path

COLOURS = {"red": (200, 40, 40), "blue": (40, 40, 200)}
"""The classes of the images."""

PER_CLASS = 10


def write_images(root: Path, shade: int = 0) -> list[tuple[Path, str]]:
    """Write root/<class>/<number>.png, plain images; return paths and classes.

    Each image is darker than the last; `shade` makes all of them darker.
    """
    from PIL import Image

    written = []
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for number in range(PER_CLASS):
            path = root / name / f"{number}.png"
            darker = tuple(max(0, level - shade - number) for level in colour)
            Image.new("RGB", (32, 32), darker).save(path)
            written.append((path, name))
    return written
