"""`cfft run --merge`: the best checkpoint, merged after training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cfft
from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.training import session
from cfft.training.run import run

Configure = Callable[..., RunConfig]


@pytest.fixture
def merged_run(layer: Layer, configure: Configure, registry: Registry, tmp_path: Path) -> Any:
    """Return `merged_run(alpha, **training)`: a run of a merge by weight average, and its path."""

    def made(alpha: Any, *, resume: bool = False, **training: Any) -> Path:
        layer.choose("merge", ["wise"])
        layer.values["merge", "wise"] = {"alpha": alpha}
        run(configure(epochs=1, lr=1e-2, **training), registry, tmp_path / "run", resume=resume)
        return tmp_path / "run"

    return made


def results_of(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "results.json").read_text())
    return found


def logits(directory: Path, *folder: str) -> Any:
    return np.load(directory.joinpath("predictions", *folder, "sunny.npz"))["logits"]


def test_alpha_zero_predicts_exactly_as_the_model_before_fine_tuning(merged_run: Any) -> None:
    directory = merged_run(0)

    assert np.array_equal(logits(directory), logits(directory, "before"))


def test_alpha_one_keeps_the_fine_tuned_model(merged_run: Any) -> None:
    directory = merged_run(1)

    best, unmerged = (
        checkpoint.load_model(directory / "checkpoints" / name) for name in ("best", "unmerged")
    )
    assert all(torch.equal(best.weights[key], unmerged.weights[key]) for key in unmerged.weights)
    assert best.model == unmerged.model


def test_results_list_every_candidate_with_its_validation_accuracy(merged_run: Any) -> None:
    found = results_of(merged_run("none"))

    names = [each["candidate"] for each in found["merge"]["candidates"]]
    best = max(each["val_top1"] for each in found["merge"]["candidates"])
    assert names == ["unmerged", *(f"alpha={tenth / 10:g}" for tenth in range(11))]
    assert found["merge"]["val_top1"] == best
    assert found["merge"]["unmerged_val_top1"] == found["best_val_top1"]
    assert found["merge"]["chosen"] in names


def test_a_run_without_a_merge_says_nothing_of_one(
    configure: Configure, registry: Registry, tmp_path: Path
) -> None:
    run(configure(epochs=0), registry, tmp_path / "run")

    assert "merge" not in results_of(tmp_path / "run")


def test_a_run_that_was_stopped_after_its_merge_merges_the_same_again(
    merged_run: Any,
) -> None:
    wanted = merged_run(0.5)
    first, numbers = checkpoint.load_model(wanted / "checkpoints" / "best"), results_of(wanted)
    (wanted / "results.json").unlink()  # as if it had been killed before it wrote them

    again = merged_run(0.5, resume=True)

    second = checkpoint.load_model(again / "checkpoints" / "best")
    assert all(torch.equal(first.weights[key], second.weights[key]) for key in first.weights)
    assert results_of(again)["merge"] == numbers["merge"]


def test_a_run_that_was_stopped_before_the_merged_model_was_stored_merges_the_same(
    merged_run: Any,
) -> None:
    wanted = merged_run(0.5)
    best, unmerged = wanted / "checkpoints" / "best", wanted / "checkpoints" / "unmerged"
    first = checkpoint.load_model(best)
    checkpoint.save(best, checkpoint.load_model(unmerged))
    (wanted / "results.json").unlink()

    merged_run(0.5, resume=True)

    second = checkpoint.load_model(best)
    assert all(torch.equal(first.weights[key], second.weights[key]) for key in first.weights)


def test_a_run_that_was_stopped_before_its_merge_makes_up_for_it(
    merged_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(session, "merge_best", stopped)
        with pytest.raises(KeyboardInterrupt):
            merged_run(0)

    directory = merged_run(0, resume=True)

    assert np.array_equal(logits(directory), logits(directory, "before"))


def test_a_merge_that_needs_more_models_is_refused_before_anything_is_read(
    layer: Layer, configure: Configure, registry: Registry, tmp_path: Path
) -> None:
    layer.choose("merge", ["model-stock"])

    with pytest.raises(cfft.ConfigError, match="'model-stock' needs 2 fine-tuned models or more"):
        run(configure(), registry, tmp_path / "run")
