"""results.json, as objects and as JSON."""

from __future__ import annotations

import pytest

from cfft.errors import DataError
from cfft.runtime.json_files import as_json, structured
from cfft.scoring.results import SetResult
from cfft.training.results import ModelResults
from cfft.training.state import RunState


def test_what_a_run_does_not_measure_is_left_out_of_its_results() -> None:
    found = SetResult("ood", 0.5, 2, 3, (0.1, 0.9))

    assert as_json(found) == {"role": "ood", "top1": 0.5, "n": 2, "classes": 3, "ci95": [0.1, 0.9]}


def test_a_run_goes_on_from_the_state_that_any_version_stored() -> None:
    before = {"sets": {"art": {"role": "ood", "top1": 0.5}}, "ood_average": 0.5}
    stored = {"step": 8, "pictures_seen": 512, "training_seconds": 16.0, "before": before}

    found = structured(stored, RunState, "state.json")

    assert (found.step, found.images_per_second) == (8, 32.0)
    assert found.before == ModelResults({"art": SetResult("ood", 0.5)}, 0.5)
    assert found.record().items() >= stored.items()


def test_a_number_out_of_range_is_named_with_its_key() -> None:
    stored = {"sets": {"sunny": {"role": "id", "top1": 7.5}}}

    with pytest.raises(DataError, match=r"'top1' must be <= 1: 7\.5 @ \$\.sets\['sunny'\]"):
        structured(stored, ModelResults, "results.json")
