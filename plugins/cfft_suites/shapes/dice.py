"""Random draws that are the same on every machine and Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Dice:
    """Draw from a stream that its seed, a row of words and numbers, alone decides.

    Everything comes from `random.Random.random` and `getrandbits`, whose streams Python keeps;
    the seed goes through SHA-256, so that hash randomisation has no part in it.
    """

    def __init__(self, *seed: str | int) -> None:
        digest = sha256("/".join(map(str, seed)).encode()).digest()
        self._random = random.Random(int.from_bytes(digest[:16], "big"))

    def between(self, low: float, high: float) -> float:
        """Return a number of the half-open interval, uniform."""
        return low + (high - low) * self._random.random()

    def whole(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """Return one of `options`, all equally likely."""
        return options[self.whole(0, len(options) - 1)]

    def chance(self, share: float) -> bool:
        """Return True with probability `share`."""
        return self._random.random() < share

    def sign(self) -> int:
        """Return 1 or -1."""
        return 1 if self.chance(0.5) else -1

    def noise(self, *shape: int) -> NDArray[np.uint8]:
        """Return independent bytes of this shape."""
        count = int(np.prod(shape))
        bits = self._random.getrandbits(8 * count).to_bytes(count, "little")
        return np.frombuffer(bits, dtype=np.uint8).reshape(shape)
