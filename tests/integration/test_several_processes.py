"""Two processes train one model: what they draw, send and write, and how they stop and go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cfft.config.layers import read_defaults
from cfft.config.resolve import resolve
from cfft.plugin.registry import Registry

from .conftest import MakeLayer
from .two_processes import errors, on_two

pytestmark = pytest.mark.slow

COMMON = """
import json, os, signal, sys
from pathlib import Path
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from cfft.cli.errors import reported
from cfft.config.layers import read_defaults, read_file
from cfft.config.resolve import resolve
from cfft.plugin.registry import Registry
from cfft.step import engine
from cfft.training.optimisation import Optimisation
from cfft.training.run import run

config, root, rank = Path(sys.argv[1]), Path(sys.argv[2]), int(os.environ["RANK"])
registry = Registry.installed()

def train(name, **options):
    found = resolve(registry, [read_defaults(), read_file(config)])
    return run(found, registry, root / name, **options)
"""

STOPPED_AND_RESUMED = f"""{COMMON}
drawn, sent, written = [], [], set()
select, refill, take = engine.selected, engine.refilled, Optimisation.take
begin = Optimisation.__init__
stop = False

def selecting(*arguments, **options):
    selection = select(*arguments, **options)
    drawn.append(selection.hidden.tolist())
    return selection

def refilling(fill, batch, selection, rng, **options):
    drawn.append(rng.initial_seed())
    return refill(fill, batch, selection, rng, **options)

def beginning(self, *arguments):
    begin(self, *arguments)
    self._step.register_comm_hook(None, reducing)

def reducing(state, bucket):
    sent[-1] += bucket.is_last()
    return allreduce_hook(state, bucket)

def taking(self, number, loaded):
    sent.append(0)
    if number == 0:
        drawn.clear()
    if stop and rank == 1 and number == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    return take(self, number, loaded)

def opened(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(str(root)):
        writes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        written.update([arguments[0]] if writes else [])

engine.selected, engine.refilled = selecting, refilling
Optimisation.take, Optimisation.__init__ = taking, beginning
sys.addaudithook(opened)
def stop_and_go_on(name):
    global stop
    stop = True
    try:
        train(name)
    except KeyboardInterrupt:
        stop = False
    stored = json.loads((root / name / "checkpoints/last/state.json").read_text())
    train(name, resume=True)
    return stored["run"]["step"]

with reported():
    train("whole")
    told = {{"drawn": drawn[:2], "steps": stop_and_go_on("stopped"), "sent": [*sent]}}
told["written"] = sorted(written)
Path(f"{{root}}.{{rank}}.json").write_text(json.dumps(told))
"""

FAILING = f"""{COMMON}
take = Optimisation.take

def taking(self, number, loaded):
    if rank == 1 and number == 1:
        raise OSError(28, "No space left on device", "a file of this process")
    return take(self, number, loaded)

Optimisation.take = taking
with reported():
    train("failing")
"""


@pytest.fixture(scope="module")
def config(
    make_layer: MakeLayer, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Configure two epochs of three steps, each of two micro-batches with two backward passes."""
    layer = make_layer(epochs=2, lr=1e-3, log_every=50, precision="fp32", micro_batch=2)
    layer.choose("mask", ["random"])
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_text(resolve(registry, [read_defaults(), layer]).to_toml())
    return path


@pytest.fixture(scope="module")
def root(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train once without and once with an interruption of the second process."""
    root = tmp_path_factory.mktemp("two") / "runs"
    ended = on_two(STOPPED_AND_RESUMED, config, root)
    assert [each.code for each in ended] == [0, 0]
    return root


@pytest.fixture
def told(root: Path) -> list[dict[str, Any]]:
    """Return what each process found."""
    return [json.loads(Path(f"{root}.{rank}.json").read_text()) for rank in "01"]


def test_processes_draw_different_masks_and_donors(told: list[dict[str, Any]]) -> None:
    (mask, donors), (other_mask, other_donors) = (each["drawn"] for each in told)

    assert mask != other_mask
    assert donors != other_donors


def test_gradients_are_sent_once_in_each_optimiser_step(told: list[dict[str, Any]]) -> None:
    assert told[0]["sent"] == [1] * 12
    assert told[1]["sent"] == [1] * 12


def test_the_first_process_alone_writes(told: list[dict[str, Any]]) -> None:
    assert told[1]["written"] == []
    assert len(told[0]["written"]) > 10


def test_a_signal_to_one_process_stops_all_after_that_step(told: list[dict[str, Any]]) -> None:
    assert [each["steps"] for each in told] == [2, 2]


def test_a_run_resumed_on_as_many_processes_ends_the_same_to_the_last_bit(root: Path) -> None:
    stored = [root / name / "checkpoints" / "last" for name in ("whole", "stopped")]
    files = [{p.name: p.read_bytes() for p in place.glob("*.safetensors")} for place in stored]

    assert files[0].keys() == {"weights.safetensors", "optimizer.safetensors"}
    assert files[0] == files[1]
    assert lines_of(root / "whole") == lines_of(root / "stopped")


def test_where_one_process_fails_in_a_step_both_end_with_a_line_each(
    config: Path, tmp_path: Path
) -> None:
    main, failing = on_two(FAILING, config, tmp_path)

    (other,) = errors(main)
    assert (main.code, failing.code) == (2, 2)
    assert errors(failing) == ["error: a file of this process: No space left on device"]
    assert "another process has ended, see its own message (Connection" in other


def lines_of(run: Path) -> list[dict[str, float]]:
    """Return the lines of metrics.jsonl without what the clock says."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    times = ("seconds", "images_per_second")
    return [{k: v for k, v in line.items() if k not in times} for line in lines]
