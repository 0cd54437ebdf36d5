"""What decoding an image may cost, and its orientation, whatever else its metadata say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from threading import Lock

from PIL import ExifTags, Image, PngImagePlugin

from cfft.data.passed_over import leads_nowhere, special
from cfft.errors import ConfigError

MEGAPIXELS = "CFFT_MAX_MEGAPIXELS"
"""The environment variable that sets how large an image may be; workers inherit it."""
SIDE_RATIO = "CFFT_MAX_SIDE_RATIO"
"""The environment variable that sets how many times the short side the long one may be."""

_USUAL_MEGAPIXELS = 179  # where Pillow stops
_USUAL_RATIO = 1000  # such an image, resized to 336 pixels, has 113 million
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_LOCK = Lock()
_TEXT_BYTES = 64 * 2**20
# Pillow refuses images for a long text or colour profile, which nobody here reads
PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, _TEXT_BYTES)
PngImagePlugin.MAX_TEXT_MEMORY = max(PngImagePlugin.MAX_TEXT_MEMORY, 4 * _TEXT_BYTES)

_METADATA = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def megapixels() -> int:
    """Return how large an image may be, in million pixels; raises ConfigError."""
    return _bound(MEGAPIXELS, _USUAL_MEGAPIXELS, "million pixels that an image may have")


def side_ratio() -> int:
    """Return how many times the short side of an image the long one may be; raises ConfigError."""
    return _bound(SIDE_RATIO, _USUAL_RATIO, "times the short side that the long one may be")


def _bound(variable: str, usual: int, what: str) -> int:
    said = os.environ.get(variable, "")
    if not said:
        return usual
    if not said.isdecimal() or not 0 < int(said) <= 1_000_000:
        raise ConfigError(
            f"{variable}: got '{said}', allowed: a whole number from 1 to 1,000,000, the most "
            f"{what}"
        )
    return int(said)


@contextmanager
def opened(file: Path | BytesIO) -> Iterator[Image.Image]:
    """Open an image without decoding it.

    Raises ValueError for one that is too large or too thin, and for what is no file: a pipe would
    be waited for, and a device read without end.
    """
    if isinstance(file, Path):
        require_file(file)
    _raise_bound()
    try:
        image = Image.open(file)
    except _BOMBS:
        check_size(*_size_in_header(file))
        raise
    with image:
        check_size(*image.size)  # a draft makes it smaller
        yield image


def require_file(path: Path) -> None:
    """Raise ValueError for a link that leads nowhere and for what is no file; OSError as stat."""
    try:
        mode = path.stat().st_mode
    except OSError:
        if path.is_symlink() and not path.exists():
            raise ValueError(f"it is {leads_nowhere(path)}") from None
        raise
    what = special(mode)
    if what is not None:
        raise ValueError(f"it is {what}, no image file: it is not opened")


def _raise_bound() -> None:
    """Let Pillow open what is allowed here; it is looked at before anything is decoded."""
    wanted = megapixels() * 1_000_000
    if Image.MAX_IMAGE_PIXELS is not None and wanted > Image.MAX_IMAGE_PIXELS:
        with _LOCK:
            Image.MAX_IMAGE_PIXELS = wanted


def _size_in_header(file: Path | BytesIO) -> tuple[int, int]:
    """Return width and height of an image that Pillow refuses for them."""
    if isinstance(file, BytesIO):
        file.seek(0)
    with _LOCK:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with Image.open(file) as image:
                return image.size
        finally:
            Image.MAX_IMAGE_PIXELS = before


def check_size(width: int, height: int) -> None:
    """Raise ValueError for an image that is too large, or too thin to be resized."""
    most, found, ratio = megapixels(), width * height / 1e6, side_ratio()
    if found > most:
        raise ValueError(
            f"{width:,} x {height:,} pixels are {found:,.0f} million, allowed are {most:,}: save "
            f"it smaller, or set the environment variable {MEGAPIXELS}"
        )
    if max(width, height) > ratio * max(1, min(width, height)):
        raise ValueError(
            f"{width:,} x {height:,} pixels: one side is over {ratio:,} times the other, which "
            "would fill the memory where the short one is resized: crop it, or set the environment "
            f"variable {SIDE_RATIO}"
        )


def upright(image: Image.Image) -> Image.Image:
    """Return a decoded image, turned by the orientation that EXIF or XMP says.

    Damaged metadata beside it, and an orientation that is none, turn nothing.
    """
    image.load()  # PNG has EXIF behind the pixels
    turn = _turn(image)
    turned = image.copy() if turn is None else image.transpose(turn)
    for key in _METADATA:  # or it would be turned again
        turned.info.pop(key, None)
    return turned


def _turn(image: Image.Image) -> Image.Transpose | None:
    for _ in range(2):  # what was parsed before an error is there the second time
        with suppress(Exception):  # whatever the parser stumbles over
            return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return None


def reason(error: Exception) -> str | None:
    """Return in words of here why Pillow refused an image for its bounds, None for other errors."""
    said = str(error)
    if isinstance(error, Image.DecompressionBombError):
        return (
            f"it has more than {megapixels():,} million pixels: save it smaller, or set the "
            f"environment variable {MEGAPIXELS}"
        )
    if "MAX_TEXT" in said or "Too much memory used in text" in said:
        size = _TEXT_BYTES // 2**20
        return f"its text or colour profile unpacks to more than {size} MiB: save it without them"
    return None
