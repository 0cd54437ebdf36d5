"""The suite `shapes`: a small drawn world, confounded in distribution."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cfft import Suite, SuiteSets, param, suite

if TYPE_CHECKING:
    from .images import ShapesImages


@suite("shapes")
class ShapesSuite(Suite):
    """Draw a world whose backgrounds give the class away, and five shifts of it.

    No file has to be there: images of 24 things, 64 x 64, are drawn from fixed numbers, the
    same ones on every machine whatever the run's seed, and kept in `cache`. Train, val and test
    are confounded: an image's background is the one tied to its class with probability
    `confounding`. The OOD sets are resample, rendition, sketch, relocated and adversarial; the
    last one holds images that a small convolutional network, trained on the default training
    set, gets wrong.
    """

    train_pictures: int = param(3000, help="training images", ge=24)
    val_pictures: int = param(500, help="validation images", ge=24)
    test_pictures: int = param(1000, help="test images", ge=24)
    ood_pictures: int = param(1000, help="images of each OOD set", ge=24, le=1000)
    confounding: float = param(
        0.95, help="probability of the background tied to the class", ge=0, le=1
    )
    cache: Path | None = param(None, help="folder for drawn images; none: the user's cache")

    known_sets: ClassVar[tuple[str, ...]] = (
        *("train", "val", "test", "resample", "rendition", "sketch", "relocated", "adversarial"),
    )
    only_measured: ClassVar[tuple[str, ...]] = ("test_pictures", "ood_pictures", "cache")

    def open(self, seed: int) -> SuiteSets:
        """Return the sets, drawn first where they are not in the cache; `seed` changes nothing.

        Raises DataError where the cache cannot be written.
        """
        from .world import CLASS_NAMES  # draws with NumPy and Pillow, which a listing can spare

        train, val, test, *ood = (
            self._set(name, range(count))
            for name, count in (
                ("train", self.train_pictures),
                ("val", self.val_pictures),
                ("test", self.test_pictures),
                ("resample", self.ood_pictures),
                ("rendition", self.ood_pictures),
                ("sketch", self.ood_pictures),
                ("relocated", self.ood_pictures),
            )
        )
        adversarial = self._set("adversarial", adversarial_indices()[: self.ood_pictures])
        return SuiteSets(CLASS_NAMES, train, val, test, (*ood, adversarial))

    def _set(self, name: str, indices: Sequence[int]) -> ShapesImages:
        from .cache import cache_folder, stored_set
        from .images import ShapesImages

        stored = stored_set(name, indices, self.confounding, cache_folder(self.cache))
        return ShapesImages(name, stored, indices)


def adversarial_indices() -> tuple[int, ...]:
    """Return the numbers that `python -m benchmarks.embedded.adversary` chose."""
    return tuple(json.loads(files(__package__).joinpath("adversarial.json").read_text())["indices"])
