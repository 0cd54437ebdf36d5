"""Two processes on CPUs that cannot go on: both end, with exit code 2, and the user reads why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.config.settings import Evaluation
from cfft.evaluation.job import evaluate_models
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import as_json

from .two_processes import errors, on_two

pytestmark = pytest.mark.slow

Configure = Callable[..., RunConfig]

CFFT = "from cfft.cli import main; main()"

BLOCKED_RUN = """
import sys
from pathlib import Path
from cfft.cli.errors import reported
from cfft.config.resolve import resolve
from cfft.config.layers import read_defaults, read_file
from cfft.training.run import run
from cfft.runtime.progress import Silent
from cfft.plugin.registry import Registry

class Blocking(Silent):
    def task(self, name, total):
        if name == when:
            file.write_text("where a directory has to be")
        return super().task(name, total)

config, out, file = map(Path, sys.argv[1:4])
when = sys.argv[4]
registry = Registry.installed()
with reported():
    run(resolve(registry, [read_defaults(), read_file(config)]), registry, out, reporter=Blocking())
"""

ZERO_SHOT = """
import sys
from pathlib import Path
from cfft.cli.errors import reported
from cfft.evaluation.job import evaluate_models
from cfft.config.layers import Layer
from cfft.runtime.progress import Silent
from cfft.plugin.registry import Registry
from cfft.config.settings import Evaluation

world, name, weights, out = map(Path, sys.argv[1:])
layer = Layer("test")
layer.choose("suite", ["domains"])
layer.values["suite", "domains"] = {"data": str(world), "id": "sunny"}
layer.settings["model"] = {"name": str(name), "pretrained": str(weights), "prompts": "class-name"}

def evaluate(reporter=None):
    settings = Evaluation(precision="fp32", workers=0, batch_size=1)
    with reported():
        evaluate_models(["zero-shot"], layer, settings, Registry.installed(), out, reporter)
"""

BLOCKED_EVALUATION = f"""{ZERO_SHOT}
class Blocking(Silent):
    def task(self, name, total):
        out.mkdir(exist_ok=True)
        (out / "of somebody else").write_text("")
        return super().task(name, total)

evaluate(Blocking())
"""

EVALUATION = f"""{ZERO_SHOT}
evaluate()
"""

FAILING_WITH_A_MODEL = """
import sys
import weakref
import torch
import cfft.training.run  # as in every run: parts of torch hold on to whatever imports them first
from cfft.cli.errors import reported
from cfft.errors import CfftError
from cfft.runtime.devices import make_accelerator

def fail():
    model = make_accelerator("fp32").prepare(torch.nn.Linear(1, 1))
    try:
        raise OSError(str(model))
    except OSError as error:
        error.__cause__ = CfftError("no more")  # a ring, which nobody may follow for ever
        raise error.__cause__ from error

group = None
try:
    with reported():
        make_accelerator("fp32")
        group = weakref.ref(torch.distributed.group.WORLD)
        fail()
finally:
    print("the group", "has gone" if group() is None else "is held", file=sys.stderr)
"""

ROWS = """
import sys
import torch
from cfft.cli.errors import reported
from cfft.runtime.devices import make_accelerator
from cfft.scoring.gathering import GatheredRows, own_indices

accelerator = make_accelerator("fp32")
whole = torch.load(sys.argv[1])
index, count = accelerator.process_index, accelerator.num_processes
rows = GatheredRows(len(whole), count, accelerator.gather, held_bytes=30)
with reported():
    for batch in whole[own_indices(len(whole), index, count)].split(2):
        rows.add(batch)
    torch.save(rows.all(), f"{sys.argv[1]}.{index}")
"""


def top1_by_set(record: dict[str, Any]) -> list[dict[str, tuple[float, int]]]:
    return [
        {name: (each["top1"], each["n"]) for name, each in model["sets"].items()}
        for model in record["models"]
    ]


@pytest.fixture
def config(configure: Configure, tmp_path: Path) -> Path:
    """Write the configuration of a short run."""
    path = tmp_path / "config.toml"
    path.write_text(configure(epochs=1, batch_size=8, micro_batch=2).to_toml())
    return path


@pytest.mark.parametrize(
    ("when", "file"),
    [("checking images", "deep/run/checkpoints"), ("evaluating sunny", "deep/run/predictions")],
)
def test_where_a_run_cannot_be_saved_both_processes_end(
    when: str, file: str, config: Path, tmp_path: Path
) -> None:
    words = (config, tmp_path / "deep" / "run", tmp_path / file, when)

    main, other = on_two(BLOCKED_RUN, *words)

    assert (main.code, other.code) == (2, 2)
    assert len(errors(main)) == 1
    assert f"{tmp_path / file}" in errors(main)[0]
    assert "Not a directory" in errors(main)[0]
    assert errors(other) == []


def test_where_the_place_of_an_evaluation_is_taken_meanwhile_both_processes_end(
    world: Path, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    main, other = on_two(BLOCKED_EVALUATION, world, *clip, tmp_path / "EVAL")

    (error,) = errors(main)
    assert (main.code, other.code) == (2, 2)
    assert "EVAL was taken while models were measured: this evaluation is complete in" in error
    assert errors(other) == []
    assert {place.name for place in tmp_path.iterdir()} == {"EVAL", "EVAL-2"}


def test_both_processes_name_every_unreadable_image(
    configure: Configure, layer: Layer, world: Path, tmp_path: Path
) -> None:
    shutil.copytree(world, tmp_path / "world")
    broken = [tmp_path / "world" / place for place in ("dark/blue/00.png", "sunny/red/03.png")]
    for image in broken:
        image.write_bytes(image.read_bytes()[:40])
    layer.values["suite", "domains"]["data"] = str(tmp_path / "world")
    (tmp_path / "config.toml").write_text(configure().to_toml())

    main, other = on_two(CFFT, "run", "--config", tmp_path / "config.toml", "--out", tmp_path / "r")

    assert (main.code, other.code) == (2, 2)
    assert errors(main) == errors(other)
    assert "unreadable images: 2" in errors(main)[0]
    assert all(str(image) in main.err for image in broken)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("image", ["00.png", "01.png"])
def test_where_one_process_cannot_read_an_image_both_end(
    image: str, world: Path, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(world, tmp_path / "world")
    broken = tmp_path / "world" / "dark" / "blue" / image
    broken.write_bytes(broken.read_bytes()[:40])

    ended = on_two(EVALUATION, tmp_path / "world", *clip, tmp_path / "EVAL")

    said = [line for each in ended for line in errors(each)]
    assert [each.code for each in ended] == [2, 2]
    assert len(said) == 1
    assert str(broken) in said[0]
    assert "set 'dark'" in said[0]
    assert [place.name for place in tmp_path.iterdir()] == ["world"]


def test_masks_are_not_measured_by_several_processes(
    world: Path, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    images = ("--suite", "domains", "--data", world, "--id", "sunny", "--masks", world)
    model = ("--model", clip[0], "--pretrained", clip[1], "--prompts", "class-name")
    words = ("zero-shot", *images, *model, "--precision", "fp32", "--out", tmp_path / "MASKS")

    main, other = on_two(CFFT, "eval", "masks", *words)

    assert (main.code, other.code) == (2, 2)
    assert "by one process, and there are 2: start cfft eval masks without" in errors(main)[0]
    assert errors(other) == []
    assert not (tmp_path / "MASKS").exists()


def test_two_processes_write_one_evaluation_with_the_scores_of_one(
    world: Path, clip: tuple[Path, Path], layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    settings = Evaluation(precision="fp32", workers=0)
    one = as_json(evaluate_models(["zero-shot"], layer, settings, registry, tmp_path / "ONE"))

    ended = on_two(EVALUATION, world, *clip, tmp_path / "TWO")

    two = json.loads((tmp_path / "TWO" / "evaluation.json").read_text())
    assert [each.code for each in ended] == [0, 0]
    assert two["processes"] == 2
    assert top1_by_set(two) == top1_by_set(one)


def test_an_error_does_not_hold_the_group_whose_threads_would_abort_the_process() -> None:
    ended = on_two(FAILING_WITH_A_MODEL)

    assert [each.code for each in ended] == [2, 2]
    assert ["the group has gone" in each.err for each in ended] == [True, True]


def test_rows_that_processes_gather_piece_by_piece_are_the_same_to_the_bit(tmp_path: Path) -> None:
    whole = torch.rand(11, 3, generator=torch.Generator().manual_seed(0))
    torch.save(whole, tmp_path / "rows")

    ended = on_two(ROWS, tmp_path / "rows")

    assert [each.code for each in ended] == [0, 0]
    assert torch.equal(torch.load(tmp_path / "rows.0"), whole)
    assert torch.equal(torch.load(tmp_path / "rows.1"), whole)
