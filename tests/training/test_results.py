"""What results.json says, as objects and as JSON."""

from __future__ import annotations

from cfft.runtime.json_files import as_json
from cfft.scoring.results import SetResult


def test_what_a_run_does_not_measure_is_left_out_of_its_results() -> None:
    found = SetResult("ood", 0.5, 2, 3, (0.1, 0.9))

    assert as_json(found) == {"role": "ood", "top1": 0.5, "n": 2, "classes": 3, "ci95": [0.1, 0.9]}
