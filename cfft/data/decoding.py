"""What decoding an image may cost, and its orientation, whatever else its metadata say."""

from __future__ import annotations

import os
from contextlib import suppress

from PIL import ExifTags, Image, PngImagePlugin

from cfft.errors import ConfigError

MEGAPIXELS = "CFFT_MAX_MEGAPIXELS"
"""The environment variable that sets how large an image may be; workers inherit it."""

_USUAL_MEGAPIXELS = 179  # where Pillow stops
_THINNEST = 1000  # sides of a longer image are refused: one resized to 336 pixels has 113 million
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
    said = os.environ.get(MEGAPIXELS, "")
    if not said:
        return _USUAL_MEGAPIXELS
    if not said.isdecimal() or not 0 < int(said) <= 1_000_000:
        raise ConfigError(
            f"{MEGAPIXELS}: got '{said}', allowed: a whole number from 1 to 1,000,000, the most "
            "million pixels that an image may have"
        )
    return int(said)


def raise_bounds() -> None:
    """Let Pillow open what is allowed here; it is looked at before anything is decoded."""
    asked = megapixels()
    if Image.MAX_IMAGE_PIXELS is not None and asked > _USUAL_MEGAPIXELS:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, asked * 1_000_000)


def check_size(width: int, height: int) -> None:
    """Raise ValueError for an image that is too large, or too thin to be resized."""
    most, found = megapixels(), width * height / 1e6
    if found > most:
        raise ValueError(
            f"{width:,} x {height:,} pixels are {found:,.0f} million, allowed are {most:,}: save "
            f"it smaller, or set the environment variable {MEGAPIXELS}"
        )
    if max(width, height) > _THINNEST * max(1, min(width, height)):
        raise ValueError(
            f"{width:,} x {height:,} pixels: one side is over {_THINNEST:,} times the other, which "
            "would fill the memory where the short one is resized; crop it"
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
