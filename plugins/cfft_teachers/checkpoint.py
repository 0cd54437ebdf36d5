"""A teacher from disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cfft


@cfft.teacher("checkpoint")
class CheckpointTeacher(cfft.Teacher):
    """Follow a model that an earlier run has stored."""

    path: Path = cfft.param(help="run directory, checkpoint directory or weights.safetensors")

    @classmethod
    def example(cls, folder: Path) -> Mapping[str, Any]:
        """Return a path; the models of the conformance kit need no file."""
        return {"path": folder / "fine-tuned"}

    def load(self, source: cfft.ModelSource) -> cfft.Classifier:
        """Return the stored model; raises WeightsError where it is of another architecture."""
        return source.load(self.path)
