"""Images that are good whatever their metadata say, and those that would fill the memory."""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from cfft import DataError, read_image
from cfft.data.decoding import upright
from cfft.data.images import as_rgb, decode_image, image_fault
from cfft.errors import ConfigError

CORNERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))


def picture() -> Image.Image:
    """Return 3 x 2 pixels whose corners differ."""
    image = Image.new("RGB", (3, 2))
    for place, colour in zip(((0, 0), (2, 0), (0, 1), (2, 1)), CORNERS, strict=True):
        image.putpixel(place, colour)
    return image


def tiff_entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")


def exif(*entries: bytes, behind: bytes = b"") -> bytes:
    """Return EXIF of one directory, with what its entries point at `behind` it."""
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + directory + behind


NO_NUMBER = struct.pack("<ii", -1, 0)
TURNED = tiff_entry(0x0112, 3, 1, struct.pack("<H", 6))


@pytest.mark.parametrize(
    "metadata",
    [
        exif(TURNED),
        # a resolution of -1/0
        exif(
            TURNED,
            tiff_entry(0x011A, 10, 1, struct.pack("<I", 38)),
            behind=NO_NUMBER,
        ),
        exif(TURNED, tiff_entry(0x9003, 3, 1, b"\xff\xff")),  # a date as a number
        exif(TURNED, tiff_entry(0x010F, 2, 2**31, b"\0\0\0\0")),  # text beyond the end
        exif(TURNED, tiff_entry(0x8769, 4, 1, struct.pack("<I", 2**31))),  # a directory nowhere
    ],
)
def test_the_orientation_is_taken_whatever_stands_beside_it(
    tmp_path: Path, metadata: bytes
) -> None:
    picture().save(tmp_path / "a.png", exif=metadata)

    image = read_image(tmp_path / "a.png")

    assert image.size == (2, 3)
    # turned clockwise: the lower left corner is the upper left one now
    assert [image.getpixel(at) for at in ((0, 0), (1, 0))] == [CORNERS[2], CORNERS[0]]


@pytest.mark.parametrize(
    "metadata",
    [
        exif(tiff_entry(0x0112, 2, 4, b"top\0")),
        exif(tiff_entry(0x0112, 3, 1, struct.pack("<H", 99))),
        exif(tiff_entry(0x0112, 10, 1, struct.pack("<I", 26)), behind=NO_NUMBER),
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0no TIFF at all",
        b"Exif\0\0",
    ],
)
def test_an_orientation_that_is_none_turns_nothing(tmp_path: Path, metadata: bytes) -> None:
    picture().save(tmp_path / "a.png", exif=metadata)

    assert read_image(tmp_path / "a.png").tobytes() == picture().tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_once(tmp_path: Path, orientation: int) -> None:
    entry = tiff_entry(0x0112, 3, 1, struct.pack("<H", orientation))
    picture().save(tmp_path / "a.png", exif=exif(entry))

    with Image.open(tmp_path / "a.png") as opened:
        once = upright(opened)

    assert upright(once).tobytes() == once.tobytes()
    assert as_rgb(as_rgb(once)).tobytes() == once.tobytes()


def png_with(path: Path, kind: bytes, data: bytes) -> Path:
    """Put a chunk behind the header of a PNG file."""
    picture().save(path)
    content = path.read_bytes()
    chunk = struct.pack(">I", len(data)) + kind + data
    chunk += struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(content[:33] + chunk + content[33:])
    return path


@pytest.mark.parametrize(
    ("kind", "head"), [(b"zTXt", b"notes\0\0"), (b"iCCP", b"profile\0\0"), (b"tEXt", b"notes\0")]
)
def test_long_texts_and_profiles_do_no_harm(tmp_path: Path, kind: bytes, head: bytes) -> None:
    long = b"x" * (2 * 2**20)
    path = png_with(
        tmp_path / "a.png", kind, head + (long if kind == b"tEXt" else zlib.compress(long))
    )

    assert read_image(path).tobytes() == picture().tobytes()


def test_a_text_that_unpacks_to_more_than_that_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_CHUNK", 2**10)
    path = png_with(tmp_path / "a.png", b"zTXt", b"notes\0\0" + zlib.compress(b"x" * 2**11))

    with pytest.raises(DataError, match="its text or colour profile unpacks to more than 64 MiB"):
        read_image(path)


def test_thin_images_are_refused_before_anything_resizes_them(tmp_path: Path) -> None:
    Image.new("L", (1001, 1)).save(tmp_path / "thin.png")
    Image.new("L", (1, 1000)).save(tmp_path / "right.png")

    assert image_fault(tmp_path / "right.png") is None
    assert read_image(tmp_path / "right.png").size == (1, 1000)
    assert "1,001 x 1 pixels: one side is over 1,000 times" in str(
        image_fault(tmp_path / "thin.png")
    )
    with pytest.raises(DataError, match=r"thin\.png: 1,001 x 1 pixels"):
        read_image(tmp_path / "thin.png")


def test_large_images_are_refused_with_the_variable_that_allows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (2000, 1500)).save(tmp_path / "a.png")
    monkeypatch.setenv("CFFT_MAX_MEGAPIXELS", "2")

    said = "2,000 x 1,500 pixels are 3 million, allowed are 2: .* CFFT_MAX_MEGAPIXELS"
    with pytest.raises(DataError, match=said):
        read_image(tmp_path / "a.png")

    monkeypatch.setenv("CFFT_MAX_MEGAPIXELS", "3")
    assert read_image(tmp_path / "a.png").size == (2000, 1500)


def test_an_image_beyond_pillows_bound_is_read_if_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # it stops at twice that
    Image.new("1", (60, 50)).save(tmp_path / "a.png")

    assert read_image(tmp_path / "a.png").size == (60, 50)


@pytest.mark.parametrize("said", ["many", "0", "-3", "1.5", "1000001"])
def test_a_bound_that_is_none_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    picture().save(tmp_path / "a.png")
    monkeypatch.setenv("CFFT_MAX_MEGAPIXELS", said)

    with pytest.raises(ConfigError, match=f"CFFT_MAX_MEGAPIXELS: got '{said}', allowed: a whole"):
        read_image(tmp_path / "a.png")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_image_that_pillow_decodes_is_refused_for_its_metadata() -> None:
    """CFFT_FUZZ sets the number of variants; 100,000 were tried with seed 0."""
    rng = random.Random(0)
    formats: list[tuple[str, dict[str, Any]]] = [
        *(("JPEG", {}), ("PNG", {}), ("WEBP", {"lossless": True}))
    ]

    for number in range(int(os.environ.get("CFFT_FUZZ", "500"))):
        metadata = bytearray(exif(*(random_entry(rng) for _ in range(rng.randrange(5)))))
        for _ in range(rng.randrange(4)):
            metadata[rng.randrange(6, len(metadata))] = rng.randrange(256)
        file_format, options = rng.choice(formats)
        stored = BytesIO()
        picture().save(stored, file_format, exif=bytes(metadata), **options)
        with Image.open(BytesIO(stored.getvalue())) as opened:
            opened.load()
            plain = opened.convert("RGB")

        found = decode_image(stored.getvalue(), str(number))

        assert sorted(found.size) == sorted(plain.size), (number, metadata)
        assert Counter(pixels(found)) == Counter(pixels(plain)), (number, metadata)


def random_entry(rng: random.Random) -> bytes:
    tag = rng.choice([0x0112, 0x0112, 0x8769, 0x8825, 0x011A, 0x9003, rng.randrange(2**16)])
    count = rng.choice([0, 1, 1, 2, 1000, 2**31, 2**32 - 1])
    return tiff_entry(tag, rng.randrange(14), count, rng.randbytes(4))


def pixels(image: Image.Image) -> list[bytes]:
    content = image.tobytes()
    return [content[at : at + 3] for at in range(0, len(content), 3)]
