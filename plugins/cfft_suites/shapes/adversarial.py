"""Numbers of the adversarial images, chosen by `python -m benchmarks.embedded.adversary`."""

from __future__ import annotations

import json
from importlib.resources import files


def adversarial_indices(draw: str = "published") -> tuple[int, ...]:
    """Return the chosen numbers of a draw, in ascending order: those seen and not left out.

    `draw`: published or development.
    """
    chosen = json.loads(files(__package__).joinpath("adversarial.json").read_text())[draw]
    left_out = frozenset(chosen["left_out"])
    return tuple(number for number in range(chosen["seen"]) if number not in left_out)
