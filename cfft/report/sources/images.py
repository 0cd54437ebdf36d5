"""The images that predictions are of, where the suite of their run still has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from cfft.data.sets import evaluation_sets
from cfft.data.suite import EvaluationSets, ImageSet
from cfft.errors import CfftError
from cfft.plugin.registry import Registry
from cfft.report.sources.records import Material, ReportedModel


class ImagesGoneError(Exception):
    """Say why images are not there; a report does without them."""


@attrs.frozen(eq=False)
class StoredImages:
    """Find images by the suites that runs and evaluations were configured with, opened once each.

    `are_wanted`: False leaves all suites closed.
    """

    material: Material
    are_wanted: bool = True
    _opened: dict[tuple[str, int], EvaluationSets | str] = attrs.field(factory=dict, init=False)

    def find(
        self, model: ReportedModel, name: str, names: Sequence[str]
    ) -> tuple[ImageSet, Mapping[str, int]]:
        """Return the set that a model was measured on, and the places of the images `names`.

        Raises ImagesGoneError with the reason where they are not there any more.
        """
        if not self.are_wanted:
            raise ImagesGoneError("--no-images was given")
        found = self._sets(self.material.suites.get(model.source, {}), model.seed or 0)
        if isinstance(found, str):
            raise ImagesGoneError(found)
        images = next((each for each in found.present if each.name == name), None)
        if images is None:
            raise ImagesGoneError(f"the suite has no set '{name}' any more")
        places = {images.identify(index): index for index in range(len(images))}
        lost = [each for each in names if each not in places]
        if lost:
            raise ImagesGoneError(f"the set has no image '{lost[0]}' any more")
        return images, places

    def _sets(self, suite: Mapping[str, object], seed: int) -> EvaluationSets | str:
        key = (repr(suite), seed)
        if key not in self._opened:
            self._opened[key] = self._open(suite, seed)
        return self._opened[key]

    @staticmethod
    def _open(suite: Mapping[str, object], seed: int) -> EvaluationSets | str:
        name = suite.get("use")
        if not isinstance(name, str):
            return "nothing says which suite they are from"
        values = {key: value for key, value in suite.items() if key != "use"}
        try:
            built = Registry.installed().build("suite", name, values, {"suite": name})
            return evaluation_sets(built, seed)
        except CfftError as error:
            return error.problems[0]
        except Exception as error:  # of a plug-in: a report needs no images
            return f"suite '{name}' failed: {type(error).__name__}: {error}"
