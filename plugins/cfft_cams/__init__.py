"""Built-in class activation maps."""

from collections.abc import Sequence
from typing import Any

import cfft
from cfft_cams.gradcam import GradCam
from cfft_cams.relevance import Relevance


@cfft.hookimpl
def cfft_cams() -> Sequence[type[Any]]:
    """Return the maps that come with cfft."""
    return [Relevance, GradCam]
