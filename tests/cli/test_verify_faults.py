"""`cfft data verify` on one folder with everything that people's data have at once."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Command = Callable[..., Any]

ODD_ORIENTATION = (  # turned by 6, beside a resolution of -1/0
    b"Exif\0\0II*\0\x08\0\0\0"
    + struct.pack("<H", 2)
    + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    + struct.pack("<HHII", 0x011A, 10, 1, 38)
    + struct.pack("<I", 0)
    + struct.pack("<ii", -1, 0)
)


def paint(folder: Path, first: int, count: int = 10) -> None:
    """Save images of noise; each number is an image of its own."""
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        pixels = np.random.default_rng(number).integers(0, 256, (4, 6, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def with_text(path: Path) -> None:
    """Put two million characters of compressed text behind the header of a PNG file."""
    content = path.read_bytes()
    data = b"zTXt" + b"notes\0\0" + zlib.compress(b"x" * 2**21)
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    path.write_bytes(content[:33] + chunk + content[33:])


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make good images, and one of each fault."""
    monkeypatch.setenv("CFFT_MAX_MEGAPIXELS", "2")
    root = tmp_path / "images"
    for place, name in enumerate(("fire truck", "fire_truck", "owl")):
        paint(root / "train" / name, 100 * place)
    paint(root / "ood" / "snow" / "owl", 300)
    owl = root / "train" / "owl"
    for number in range(9):
        (owl / f"{number}.heic").touch()
    (owl / "@eaDir").mkdir()
    Image.open(owl / "200.png").save(owl / "@eaDir" / "SYNOPHOTO_THUMB_M.png")
    Image.open(owl / "201.png").save(owl / "201.png", exif=ODD_ORIENTATION)
    with_text(owl / "202.png")
    Image.new("1", (60_000, 1)).save(owl / "thin.png")
    Image.new("1", (2000, 1500)).save(owl / "huge.png")
    (root / "train" / "bird").symlink_to(tmp_path / "unmounted" / "bird")
    return root


def test_every_fault_is_told_in_the_text(cfft_command: Command, data: Path) -> None:
    ended = cfft_command("data", "verify", "folder", str(data))

    owl = data / "train" / "owl"
    assert ended.code == 2
    assert set(ended.out.splitlines()) > {
        "passed over in train: 9 .heic, 1 system: @eaDir",
        "warning: set 'train': 9 files with suffix .heic are passed over in class folders owl (9 "
        "beside 12 images); convert them if they are images",
        f"cannot be read: train: {owl / 'thin.png'}: 60,000 x 1 pixels: one side is over 1,000 "
        "times the other, which would fill the memory where the short one is resized: crop it, or "
        "set the environment variable CFFT_MAX_SIDE_RATIO",
        f"cannot be read: train: {owl / 'huge.png'}: 2,000 x 1,500 pixels are 3 million, allowed "
        "are 2: save it smaller, or set the environment variable CFFT_MAX_MEGAPIXELS",
    }
    assert ended.err.splitlines()[1:] == [
        "error: classes 'fire truck', 'fire_truck' are one to a text tower, which ignores case, "
        "underscores and spaces: give them different names (classes.txt)",
        f"error: set 'train': {data}/train/bird is a link to {data.parent}/unmounted/bird, which "
        "is not there: restore what it leads to, or remove the link",
        "error: 2 images cannot be read",
    ]


def test_every_fault_is_in_the_json_and_good_images_are_not(
    cfft_command: Command, data: Path
) -> None:
    ended = cfft_command("data", "verify", "folder", str(data), "--json")
    found = json.loads(ended.out)

    sets = {each["name"]: each for each in found["sets"]}
    problems = ["one to a text tower", "train/bird is a link", "2 images cannot be read"]
    assert ended.code == 2
    assert [text in line for text, line in zip(problems, found["problems"], strict=True)] == [
        *(True, True, True),
    ]
    assert sets["train"]["passed_over"] == {".heic": 9, "system: @eaDir": 1}
    assert sets["snow"]["passed_over"] == {}
    assert ["9 files with suffix .heic" in line for line in found["warnings"]] == [True]
    assert sorted(Path(image["path"]).name for image in found["unreadable"]) == [
        *("huge.png", "thin.png"),
    ]
    assert found["copies"] == []


def test_one_name_twice_in_classes_txt_is_told(cfft_command: Command, tmp_path: Path) -> None:
    for place, name in enumerate(("cat", "dog", "owl")):
        paint(tmp_path / "train" / name, 100 * place)
    (tmp_path / "classes.txt").write_text("pet\npet\nowl\n")

    ended = cfft_command("data", "verify", "folder", str(tmp_path), "--counts-only")

    assert ended.code == 2
    assert "error: classes 'pet', 'pet' are one to a text tower" in ended.err


def test_good_images_beside_the_faults_are_read(cfft_command: Command, data: Path) -> None:
    (data / "train" / "bird").unlink()
    (data / "train" / "fire_truck").rename(data / "train" / "tractor")
    for name in ("thin.png", "huge.png"):
        (data / "train" / "owl" / name).unlink()

    ended = cfft_command("data", "verify", "folder", str(data))

    assert (ended.code, ended.err) == (0, "checking images: 40\n")
