"""A teacher from disk."""

from __future__ import annotations

from pathlib import Path

import cfft


@cfft.teacher("checkpoint")
class CheckpointTeacher:
    """Follow a model that an earlier run has stored."""

    path: Path = cfft.param(help="run directory, checkpoint directory or weights.safetensors")

    def load(self, source: cfft.ModelSource) -> cfft.Classifier:
        """Return the stored model; raises WeightsError where it is of another architecture."""
        return source.load(self.path)
