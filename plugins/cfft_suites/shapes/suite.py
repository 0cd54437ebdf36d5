"""The suite `shapes`: a small drawn world, confounded in distribution."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from cfft import Suite, SuiteSets, param, suite

from .adversarial import adversarial_indices

if TYPE_CHECKING:
    from .images import ShapesImages
    from .world import SetRule


@suite("shapes")
class ShapesSuite(Suite):
    """Draw a world whose backgrounds give the class away, and five shifts of it.

    No file has to be there: images of 24 things, 64 x 64, are drawn from fixed numbers, the
    same ones on every machine whatever the run's seed, and kept in `cache`. Train, val and test
    are confounded: an image's background is the one tied to its class with probability
    `confounding`. The OOD sets are resample, rendition, sketch, relocated and adversarial; the
    last one holds images that a small convolutional network, trained on the default training
    set, gets wrong. Test and OOD sets exist twice, as two draws of the same distribution: choose
    between methods on `development`, report on `published`.
    """

    train_pictures: int = param(3000, help="training images", ge=24)
    val_pictures: int = param(500, help="validation images", ge=24, rare=True)
    test_pictures: int = param(1000, help="test images", ge=24)
    ood_pictures: int = param(1000, help="images of each OOD set", ge=24, le=5000)
    draw: Literal["published", "development"] = param(
        "published", help="images of the test and OOD sets: those of reports, or others", rare=True
    )
    confounding: float = param(
        0.95, help="probability of the background tied to the class", ge=0, le=1, rare=True
    )
    cache: Path | None = param(
        None, help="folder for drawn images; none: the user's cache", rare=True
    )

    known_sets: ClassVar[tuple[str, ...]] = (
        *("train", "val", "test", "resample", "rendition", "sketch", "relocated", "adversarial"),
    )
    only_measured: ClassVar[tuple[str, ...]] = (
        *("test_pictures", "ood_pictures", "draw", "cache"),
    )

    def open(self, seed: int) -> SuiteSets:
        """Return the sets, drawn first where they are not in the cache; `seed` changes nothing.

        Raises DataError where the cache cannot be written.
        """
        from .world import CLASS_NAMES, RULES, measured_rule  # NumPy and Pillow, spared a listing

        train = self._set("train", RULES["train"], range(self.train_pictures))
        val = self._set("val", RULES["val"], range(self.val_pictures))
        test, *ood = (
            self._set(name, measured_rule(name, self.draw), indices)
            for name, indices in (
                ("test", range(self.test_pictures)),
                ("resample", range(self.ood_pictures)),
                ("rendition", range(self.ood_pictures)),
                ("sketch", range(self.ood_pictures)),
                ("relocated", range(self.ood_pictures)),
                ("adversarial", adversarial_indices(self.draw)[: self.ood_pictures]),
            )
        )
        return SuiteSets(CLASS_NAMES, train, val, test, tuple(ood))

    def _set(self, name: str, rule: SetRule, indices: Sequence[int]) -> ShapesImages:
        from .cache import cache_folder, stored_set
        from .images import ShapesImages

        stored = stored_set(rule, indices, self.confounding, cache_folder(self.cache))
        return ShapesImages(name, stored, indices, rule.name.removeprefix(name))
