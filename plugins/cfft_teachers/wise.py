"""The teacher of the paper's Eq. 3."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cfft


@cfft.teacher("wise")
class WiseTeacher(cfft.Teacher):
    """Follow the weight average of a zero-shot and a fine-tuned model.

    f_e and g_e of Eq. 3: encoder and head of WiSE-FT (Wortsman et al. 2022), at alpha 0.5 in the
    paper.
    """

    alpha: float = cfft.param(0.5, help="share of the fine-tuned model", ge=0, le=1)
    fine_tuned: Path = cfft.param(help="run, checkpoint or weights of the fine-tuned model")
    zero_shot: Path | None = cfft.param(
        None, help="run, checkpoint or weights of the other one; none: the pre-trained model itself"
    )

    @classmethod
    def example(cls, folder: Path) -> Mapping[str, Any]:
        """Return a path; the models of the conformance kit need no file."""
        return {"fine_tuned": folder / "fine-tuned"}

    def load(self, source: cfft.ModelSource) -> cfft.Classifier:
        """Return the averaged model; raises WeightsError where the two do not fit."""
        zero_shot = source.load(self.zero_shot) if self.zero_shot else source.pretrained()
        fine_tuned = source.load(self.fine_tuned)
        average = cfft.average_weights(zero_shot.weights(), fine_tuned.weights(), self.alpha)
        zero_shot.load_weights(average)
        return zero_shot
