"""Built-in teachers of cfft: the pre-trained model, a checkpoint, and an average of two."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_teachers.checkpoint import CheckpointTeacher
from cfft_teachers.clip import ClipTeacher
from cfft_teachers.wise import WiseTeacher


@cfft.hookimpl
def cfft_teachers() -> Sequence[type[Any]]:
    """Offer the built-in teachers."""
    return [CheckpointTeacher, ClipTeacher, WiseTeacher]
