"""Runs that compute once what is constant over training."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Silent
from cfft.training.run import run

Configure = Callable[..., RunConfig]


@pytest.fixture
def taught(layer: Layer) -> Layer:
    """Drop what the teacher's map shows, so that maps and features of the teacher are constant."""
    layer.choose("mask", ["object"])
    layer.choose("fill", ["none"])
    layer.values["cam", "relevance"] = {"of": "teacher"}
    return layer


def plan_of(config: RunConfig, registry: Registry, out: Path) -> dict[str, Any]:
    return dict(run(config, registry, out, dry_run=True))


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


class Stopped(Silent):
    def stepped(self, step: int, metrics: Any) -> None:
        if step == 4:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("taught")
def test_a_run_with_kept_outputs_logs_the_losses_of_one_that_computes_them(
    configure: Configure, registry: Registry, tmp_path: Path
) -> None:
    run(configure(), registry, tmp_path / "kept")
    run(configure(keep_gib=0.0), registry, tmp_path / "computed")

    kept, computed = (lines_of(tmp_path / name) for name in ("kept", "computed"))
    losses = [[line["loss"] for line in lines if "loss" in line] for lines in (kept, computed)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    files = [{path.name for path in (tmp_path / name).iterdir()} for name in ("kept", "computed")]
    assert files[0] == files[1]


@pytest.mark.usefixtures("taught")
def test_a_resumed_run_with_kept_outputs_ends_as_one_without_interruption(
    configure: Configure, registry: Registry, tmp_path: Path
) -> None:
    config = configure(log_every=1, checkpoint_every="1")
    run(config, registry, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(config, registry, tmp_path / "broken", reporter=Stopped())
    run(config, registry, tmp_path / "broken", resume=True)

    ends = [
        checkpoint.load(tmp_path / name / "checkpoints" / "last") for name in ("whole", "broken")
    ]
    torch.testing.assert_close(ends[1].weights, ends[0].weights, rtol=0, atol=0)


def test_the_plan_says_what_is_computed_once_and_what_a_step_costs(
    taught: Layer, configure: Configure, registry: Registry, tmp_path: Path
) -> None:
    taught.values["mask", "object"] = {"share": 0.5, "threshold": "none"}

    plan = plan_of(configure(), registry, tmp_path / "plan")

    assert plan["computed_once"] == (
        "maps of teacher 'clip'; features of teacher 'clip' on the view 'counterfactual'"
    )
    assert plan["cost"] == {"passes": 3 + 3 * 0.5, "at_most": False, "vanilla": 3.0}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"epochs": 1}, "each image comes once"),
        ({"keep_gib": 0.0}, r"it would need .* GiB, and --keep-gib allows 0"),
    ],
)
@pytest.mark.usefixtures("taught")
def test_the_plan_says_why_nothing_is_kept(
    configure: Configure, registry: Registry, tmp_path: Path, settings: Any, reason: str
) -> None:
    plan = plan_of(configure(**settings), registry, tmp_path / "plan")

    assert plan["computed_once"] == ""
    assert re.search(reason, plan["computed_each_time"])
    assert plan["cost"]["passes"] == 3 + 2 + 3 + 1


def test_no_masking_costs_as_much_as_fine_tuning_and_the_papers_method_eight_passes(
    layer: Layer, configure: Configure, registry: Registry, tmp_path: Path
) -> None:
    layer.choose("mask", ["none"])
    none = plan_of(configure(), registry, tmp_path / "none")
    layer.choose("mask", ["object"])
    paper = plan_of(configure(), registry, tmp_path / "object")

    assert (none["cost"]["passes"], paper["cost"]["passes"]) == (3, 8)
    assert "its fill may make another image" in paper["computed_each_time"]
