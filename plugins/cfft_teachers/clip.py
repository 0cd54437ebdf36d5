"""The teacher of the paper's Eq. 2."""

from __future__ import annotations

import cfft


@cfft.teacher("clip")
class ClipTeacher:
    """Follow the pre-trained model, whatever its backbone.

    f_hat of Eq. 2: the encoder as it was before fine-tuning, with the starting head.
    """

    def load(self, source: cfft.ModelSource) -> cfft.Classifier:
        """Return a copy of the pre-trained model."""
        return source.pretrained()
