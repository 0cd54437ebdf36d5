"""Two processes on CPUs: the same results as one, every image counted once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.training.run import run

pytestmark = pytest.mark.slow

RUN = """
import sys
from pathlib import Path
import torch
from cfft.config.resolve import resolve
from cfft.config.layers import read_defaults, read_file
from cfft.training.run import run
from cfft.plugin.registry import Registry

registry = Registry.installed()
config = resolve(registry, [read_defaults(), read_file(Path(sys.argv[1]))])
run(config, registry, Path(sys.argv[2]), resume="resume" in sys.argv)
torch.distributed.destroy_process_group()
"""


def run_on_two(config: Path, out: Path, script: Path) -> None:
    script.write_text(RUN)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    places = [
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=localhost:0",
        str(script),
        str(config),
        str(out),
    ]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    subprocess.run([*launcher, *places], check=True, env=surroundings, timeout=300)


@pytest.fixture(params=[("none", "all"), ("none", "r-adapter"), ("object", "all")])
def on_one_and_two(
    request: pytest.FixtureRequest,
    configure: Callable[..., RunConfig],
    layer: Layer,
    registry: Registry,
    tmp_path: Path,
) -> tuple[Path, Path]:
    """Run without anything random on one process and on two, with 9 images in the test set.

    With a mask that hides something the step has two backward passes, the head's in the first.
    """
    mask, adaptation = request.param
    layer.choose("mask", [mask])
    layer.choose("fill", ["none"])
    layer.choose("adaptation", [adaptation])
    layer.values["adaptation", "r-adapter"] = {"drop": 0.0}
    layer.values["suite", "domains"]["split"] = "65/10/25"
    config = configure(epochs=2, batch_size=8, micro_batch=2, lr=1e-4)
    run(config, registry, tmp_path / "one")
    run_on_two(tmp_path / "one" / "config.toml", tmp_path / "two", tmp_path / "script.py")
    return tmp_path / "one", tmp_path / "two"


def test_two_processes_train_and_evaluate_as_one_does(on_one_and_two: tuple[Path, Path]) -> None:
    one, two = (json.loads((out / "results.json").read_text()) for out in on_one_and_two)
    lines = [
        json.loads((out / "metrics.jsonl").read_text().splitlines()[0]) for out in on_one_and_two
    ]
    kept = [np.load(out / "predictions" / "sunny.npz") for out in on_one_and_two]
    heads = [
        checkpoint.load_model(out / "checkpoints" / "last").weights["head.weight"]
        for out in on_one_and_two
    ]

    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["sets"].keys() == two["sets"].keys()
    assert lines[0]["loss"] == pytest.approx(lines[1]["loss"], rel=1e-4)
    assert lines[0]["grad_norm"] == pytest.approx(lines[1]["grad_norm"], rel=1e-4)
    assert kept[0]["names"].tolist() == kept[1]["names"].tolist()
    np.testing.assert_allclose(kept[0]["logits"], kept[1]["logits"], atol=2e-2)
    np.testing.assert_allclose(heads[0], heads[1], atol=1e-3)


def test_two_processes_compare_the_images_of_the_whole_batch_as_one_does(
    configure: Callable[..., RunConfig], layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.choose("task", ["contrastive"])
    layer.choose("loss", ["similarity-kd", "relational"])
    layer.choose("teacher", ["average", "clip"])
    layer.choose("average", ["ema"])
    layer.values["loss", "relational"] = {"weight": 10.0}
    one, two = tmp_path / "one", tmp_path / "two"
    config = configure(epochs=2, batch_size=8, lr=1e-4, log_every=1)

    run(config, registry, one)
    run_on_two(one / "config.toml", two, tmp_path / "script.py")

    terms = ("loss", "contrastive", "similarity-kd", "relational", "grad_norm")
    texts = [(out / "metrics.jsonl").read_text() for out in (one, two)]
    lines = [json.loads(text.splitlines()[2]) for text in texts]
    towers = [checkpoint.load(out / "checkpoints" / "last").trained for out in (one, two)]
    assert min(lines[0][term] for term in terms) > 0
    assert [lines[1][term] for term in terms] == pytest.approx(
        [lines[0][term] for term in terms], rel=1e-3
    )
    assert towers[0].keys() == towers[1].keys()
    assert {"text.logit_scale", "averaged-text.logit_scale"} <= towers[0].keys()
    torch.testing.assert_close(*towers, rtol=1e-3, atol=1e-3)


def test_two_processes_train_where_no_term_looks_at_the_head(
    configure: Callable[..., RunConfig], layer: Layer, tmp_path: Path
) -> None:
    layer.choose("task", ["none"])
    config, out = tmp_path / "config.toml", tmp_path / "two"
    config.write_text(configure(epochs=1, lr=1e-2).to_toml())

    run_on_two(config, out, tmp_path / "script.py")

    start, end = (
        checkpoint.load_model(out / "checkpoints" / kind).weights for kind in ("best", "last")
    )
    assert torch.equal(start["head.weight"], end["head.weight"])
    assert json.loads((out / "results.json").read_text())["processes"] == 2


def test_two_processes_merge_the_same_after_training(
    configure: Callable[..., RunConfig], layer: Layer, tmp_path: Path
) -> None:
    layer.choose("mask", ["none"])
    layer.choose("merge", ["wise"])
    layer.values["merge", "wise"] = {"alpha": "none"}
    config, out = tmp_path / "config.toml", tmp_path / "two"
    config.write_text(configure(epochs=1, lr=1e-2).to_toml())

    run_on_two(config, out, tmp_path / "script.py")

    found = json.loads((out / "results.json").read_text())
    assert (found["processes"], len(found["merge"]["candidates"])) == (2, 12)
    assert found["merge"]["val_top1"] >= found["merge"]["unmerged_val_top1"]
    assert checkpoint.load_model(out / "checkpoints" / "best").weights
