"""The corruptions of ImageNet-C, made when an image is read.

The `imagecorruptions` package computes them with the published parameters, which are meant for
224 x 224 pixels; so images are brought to that size first, as ImageNet-C was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import Any, ClassVar

import attrs
import numpy as np
from PIL import Image

from cfft import ComputedImageSet, ConfigError, ImageSet

_DISTRIBUTION = "imagecorruptions-imaug"  # others of the same module fail with today's scikit-image
_SEEDED = frozenset(("impulse_noise", "glass_blur"))  # draw from a generator of their own
_LOCK = Lock()


@attrs.frozen(eq=False)
class CorruptedImages(ComputedImageSet):
    """Hold the images of another set under one corruption, once for each of `severities`.

    What is drawn depends on the corruption, the severity and the image's name alone.
    """

    whole: ImageSet
    name: str
    severities: tuple[int, ...]
    cropped: ClassVar[bool] = True
    labels: tuple[int, ...] = attrs.field(init=False)

    @labels.default
    def _labels(self) -> tuple[int, ...]:
        return tuple(self.whole.labels) * len(self.severities)

    @property
    def made_from(self) -> ImageSet:
        """The other set; see ComputedImageSet."""
        return self.whole

    @property
    def classes(self) -> Sequence[int]:
        """The classes of the other set."""
        return self.whole.classes

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> Image.Image:
        """Return image `index`, corrupted: 224 x 224 pixels, RGB."""
        image = _published_size()(self.whole.read(self.original(index)))
        return corrupt(image, self.name, self._severity(index), self.identify(index))

    def identify(self, index: int) -> str:
        """Return the severity and the image's name in the other set: `3/n01440764/...`."""
        return f"{self._severity(index)}/{self.whole.identify(self.original(index))}"

    def original(self, index: int) -> int:
        """Return the place of the image in the other set."""
        return index % len(self.whole)

    def _severity(self, index: int) -> int:
        return self.severities[index // len(self.whole)]


def corrupt(image: Image.Image, name: str, severity: int, key: str) -> Image.Image:
    """Return the image under corruption `name`; `severity`: 1 to 5.

    Random draws come from `name` and `key` alone; NumPy's global generator is put back.
    """
    seed = int.from_bytes(
        sha256(f"{name}/{key}".encode(errors="surrogateescape")).digest()[:4], "big"
    )
    own = {"seed": seed} if name in _SEEDED else {}
    with _numpy_seeded(seed):
        changed = corruption_library().corrupt(
            np.asarray(image), severity=severity, corruption_name=name, **own
        )
    return Image.fromarray(changed)


@cache
def corruption_library() -> Any:
    """Return the module `imagecorruptions`; raises ConfigError that says how to install it."""
    try:
        version(_DISTRIBUTION)
        import imagecorruptions
    except (PackageNotFoundError, ImportError) as error:
        raise ConfigError(
            f"suite.imagenet.corruptions needs the package {_DISTRIBUTION} ({error}): "
            "pip install 'cfft[corruptions]'"
        ) from error
    return imagecorruptions


@cache
def _published_size() -> Callable[[Image.Image], Image.Image]:
    from torchvision import transforms  # torch comes with it, and listings do without

    made: Callable[[Image.Image], Image.Image] = transforms.Compose(
        [transforms.Resize(256), transforms.CenterCrop(224)]
    )
    return made


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """Seed the global generator that the library draws from; one thread at a time."""
    with _LOCK:
        state = np.random.get_state()
        np.random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(state)
