"""Folders laid out as the published archives of ImageNet and its shifts unpack."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Lay = Callable[..., None]


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """Return `lay(*folders, images=1, size=(4, 4))`, which puts drawn images into folders."""

    def put(*folders: str, images: int = 1, size: tuple[int, int] = (4, 4)) -> None:
        for folder in folders:
            (tmp_path / folder).mkdir(parents=True)
            for number in range(images):
                Image.new("RGB", size, "red").save(tmp_path / folder / f"{number}.png")

    return put
