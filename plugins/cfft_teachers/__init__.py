"""Built-in teachers: the pre-trained model, a checkpoint, averages of two and over steps."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_teachers.average import AverageTeacher
from cfft_teachers.checkpoint import CheckpointTeacher
from cfft_teachers.clip import ClipTeacher
from cfft_teachers.wise import WiseTeacher


@cfft.hookimpl
def cfft_teachers() -> Sequence[type[Any]]:
    """Offer the built-in teachers."""
    return [AverageTeacher, CheckpointTeacher, ClipTeacher, WiseTeacher]
