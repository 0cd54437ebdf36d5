"""Measured models without their predictions: scores, and whether each image was right."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np
from numpy.typing import NDArray

from cfft.data.fingerprint import fingerprint
from cfft.evaluation.files.evaluation import Identity
from cfft.scoring.predictions import Predictions, correct_images
from cfft.scoring.results import Role, SetResult
from cfft.scoring.scores import LabelSpace, full_score, in_label_space, top1_on_classes


@attrs.frozen(eq=False)
class MeasuredSet:
    """Hold what a model got right in one set.

    `correct`: [N] by image. `images`: a digest of the images' names and labels: two sets with
    the same one can be compared image by image. `original`: [N], the number of the image that
    each is a version of. `originals`: a digest of the names of these: sets with the same one show
    the same images. `on_classes_of`: of the ID set, top-1 among the classes of each OOD set.
    """

    score: SetResult
    correct: NDArray[np.bool_]
    images: str
    original: NDArray[np.int64]
    originals: str
    on_classes_of: Mapping[str, float | None] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class MeasuredModel:
    """Hold a model's sets by name, the ID set first; `predictions`: where its outputs are kept."""

    identity: Identity
    sets: Mapping[str, MeasuredSet]
    predictions: str | None = None

    @property
    def label(self) -> str:
        """The name of the model in tables."""
        return self.identity.label

    @property
    def test(self) -> str | None:
        """The name of the ID set, None where it was not measured."""
        return next((name for name, each in self.sets.items() if each.score.role == "id"), None)

    @property
    def ood(self) -> dict[str, MeasuredSet]:
        """The OOD sets by name."""
        return {name: each for name, each in self.sets.items() if each.score.role == "ood"}


def measured_set(
    name: str,
    predictions: Predictions,
    role: Role,
    space: LabelSpace,
    shifts: Mapping[str, tuple[int, ...]] | None = None,
) -> MeasuredSet:
    """Score predictions for set `name`; `shifts`: for the ID set, the classes of each OOD set."""
    judged = in_label_space(predictions, space)
    origins = predictions.origins or [f"{name}/{image}" for image in predictions.names]
    return MeasuredSet(
        full_score(judged, role),
        correct_images(judged).numpy(),
        fingerprint(predictions.names, predictions.labels.tolist()),
        predictions.original,
        fingerprint(dict.fromkeys(origins), ()),
        {
            shift: top1_on_classes(predictions, frozenset(classes), space)
            for shift, classes in (shifts or {}).items()
        },
    )
