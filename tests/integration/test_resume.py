"""Runs that were stopped, by whatever, and end as if they had not been."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch

from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError, WeightsError
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import as_json
from cfft.runtime.locks import held
from cfft.runtime.progress import Advance, Silent
from cfft.training import optimisation
from cfft.training.run import run

KILLED = """
import os, signal, sys
from pathlib import Path
from cfft.config.resolve import resolve
from cfft.config.layers import read_defaults, read_file
from cfft.training.run import run
from cfft.runtime.progress import Silent
from cfft.plugin.registry import Registry

class Killing(Silent):
    def stepped(self, step, metrics):
        if step == 5:
            os.kill(os.getpid(), signal.SIGKILL)

registry = Registry.installed()
config = resolve(registry, [read_defaults(), read_file(Path(sys.argv[1]))])
run(config, registry, Path(sys.argv[2]), reporter=Killing())
"""


class StopError(Exception):
    """Stand for whatever ends a process without a warning."""


class Stopping(Silent):
    """End the run as soon as it reports a task, or an optimiser step."""

    def __init__(self, task: str | None = None, step: int | None = None) -> None:
        self.last, self.step = task, step

    def task(self, name: str, total: int) -> AbstractContextManager[Advance]:
        if name == self.last:
            self.last = None
            raise StopError
        return super().task(name, total)

    def stepped(self, step: int, metrics: Any) -> None:
        if step == self.step:
            raise StopError


class Noting(Silent):
    """Remember the notes about a run."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def noted(self, message: str) -> None:
        self.messages.append(message)


@pytest.fixture
def config(configure: Callable[..., RunConfig], layer: Layer) -> RunConfig:
    """Configure random masks and donors, a measured teacher, and a checkpoint at every step."""
    layer.choose("mask", ["random"])
    layer.values["loss", "feature-mse"] = {"scale": "relative"}
    return configure(epochs=3, micro_batch=4, log_every=1, checkpoint_every="1")


@pytest.fixture
def unbroken(config: RunConfig, registry: Registry, tmp_path: Path) -> Path:
    """Run without an interruption: 3 epochs of 3 steps."""
    run(config, registry, tmp_path / "unbroken")
    return tmp_path / "unbroken"


def weights(directory: Path, kind: str) -> dict[str, torch.Tensor]:
    return dict(checkpoint.load_model(directory / "checkpoints" / kind).weights)


def metrics(directory: Path) -> list[dict[str, float]]:
    """Return what metrics.jsonl says, but for times."""
    lines = map(json.loads, (directory / "metrics.jsonl").read_text().splitlines())
    timed = ("seconds", "images_per_second")
    return [{k: v for k, v in line.items() if k not in timed} for line in lines]


def assert_same_run(one: Path, other: Path) -> None:
    torch.testing.assert_close(weights(one, "last"), weights(other, "last"), rtol=0, atol=0)
    torch.testing.assert_close(weights(one, "best"), weights(other, "best"), rtol=0, atol=0)
    assert metrics(one) == metrics(other)


def test_a_run_killed_in_the_middle_of_an_epoch_ends_as_if_it_had_not_been(
    config: RunConfig, registry: Registry, unbroken: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, str(unbroken / "config.toml"), str(out)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not (out / "results.json").exists()

    run(config, registry, out, resume=True)

    assert_same_run(out, unbroken)


@pytest.mark.parametrize(
    "stopping",
    [
        pytest.param(Stopping(task="evaluating sunny"), id="before training"),
        pytest.param(Stopping(step=1), id="in the first step"),
        pytest.param(Stopping(step=3), id="before the first validation"),
        pytest.param(Stopping(task="epoch 2/3"), id="between epochs"),
        pytest.param(Stopping(step=6), id="between the last step of an epoch and its validation"),
    ],
)
def test_a_run_that_ended_anywhere_goes_on_to_the_same_end(
    config: RunConfig, registry: Registry, unbroken: Path, tmp_path: Path, stopping: Stopping
) -> None:
    out = tmp_path / "stopped"
    with pytest.raises(StopError):
        run(config, registry, out, reporter=stopping)

    found = run(config, registry, out, resume=True)

    assert_same_run(out, unbroken)
    expected = json.loads((unbroken / "results.json").read_text())
    assert as_json(found)["sets"] == expected["sets"]
    assert as_json(found)["before"] == expected["before"]


def test_a_run_keeps_the_kernel_of_adamw_that_it_was_begun_with(
    config: RunConfig,
    registry: Registry,
    unbroken: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "stopped"
    with pytest.raises(StopError):
        run(config, registry, out, reporter=Stopping(step=4))
    monkeypatch.setattr(optimisation, "has_fused_adamw", lambda _: True)

    run(config, registry, out, resume=True)

    assert_same_run(out, unbroken)


def test_a_run_with_fused_adamw_resumes_bit_for_bit(
    config: RunConfig, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimisation, "has_fused_adamw", lambda _: True)
    run(config, registry, tmp_path / "unbroken")
    out = tmp_path / "stopped"
    with pytest.raises(StopError):
        run(config, registry, out, reporter=Stopping(step=4))
    monkeypatch.setattr(optimisation, "has_fused_adamw", lambda _: False)  # as on other machines

    run(config, registry, out, resume=True)

    assert_same_run(out, tmp_path / "unbroken")


def test_where_the_start_is_measured_again_training_goes_on_from_where_it_was(
    config: RunConfig, registry: Registry, unbroken: Path, tmp_path: Path
) -> None:
    out = tmp_path / "stopped"
    with pytest.raises(StopError):
        run(config, registry, out, reporter=Stopping(step=5))
    (out / "predictions" / "before" / "dark.npz").unlink()

    run(config, registry, out, resume=True)

    assert_same_run(out, unbroken)
    assert (out / "predictions" / "before" / "dark.npz").is_file()


@pytest.mark.parametrize(
    ("adaptation", "average"),
    [
        ("lora", None),
        ("r-adapter", None),
        ("all", "ema"),
        ("lora", "ema"),
        ("r-adapter", "ema"),
        ("last-blocks", "swa"),
    ],
)
def test_adapters_and_averages_go_on_to_the_same_end(
    configure: Callable[..., RunConfig],
    layer: Layer,
    registry: Registry,
    tmp_path: Path,
    adaptation: str,
    average: str | None,
) -> None:
    layer.choose("mask", ["random"])
    layer.choose("adaptation", [adaptation])
    layer.choose("average", [average] if average else ["none"])
    config = configure(epochs=3, micro_batch=4, log_every=1, checkpoint_every="1")
    run(config, registry, tmp_path / "unbroken")
    with pytest.raises(StopError):
        run(config, registry, tmp_path / "stopped", reporter=Stopping(step=5))

    run(config, registry, tmp_path / "stopped", resume=True)

    assert_same_run(tmp_path / "stopped", tmp_path / "unbroken")
    first, second = (
        checkpoint.load(tmp_path / out / "checkpoints" / "last") for out in ("stopped", "unbroken")
    )
    torch.testing.assert_close(first.trained, second.trained, rtol=0, atol=0)
    torch.testing.assert_close(first.optimizer, second.optimizer, rtol=0, atol=0)


class StoppingAtTheEnd(Stopping):
    """End the run in its last evaluation."""

    def epoch_ended(self, epoch: int, metrics: Any) -> None:
        self.last = "evaluating dark" if epoch == 3 else None


def test_a_run_that_ended_in_its_last_evaluation_only_evaluates(
    config: RunConfig, registry: Registry, unbroken: Path, tmp_path: Path
) -> None:
    out = tmp_path / "stopped"
    with pytest.raises(StopError):
        run(config, registry, out, reporter=StoppingAtTheEnd())

    run(config, registry, out, resume=True, reporter=Stopping(step=9))  # no step is taken again

    assert_same_run(out, unbroken)


class Interrupting(Silent):
    """Send a signal to the own process at an optimiser step."""

    def __init__(self, step: int, number: signal.Signals) -> None:
        self.step, self.number = step, number

    def stepped(self, step: int, metrics: Any) -> None:
        if step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    ("step", "number"), [(1, signal.SIGINT), (4, signal.SIGTERM), (6, signal.SIGINT)]
)
def test_an_interrupted_run_stores_its_step_and_goes_on_from_there(
    config: RunConfig,
    registry: Registry,
    unbroken: Path,
    tmp_path: Path,
    step: int,
    number: signal.Signals,
) -> None:
    out = tmp_path / "interrupted"
    with pytest.raises(KeyboardInterrupt):
        run(config, registry, out, reporter=Interrupting(step, number))
    stored = checkpoint.load(out / "checkpoints" / "last").state
    assert stored is not None
    assert stored["run"]["step"] == step

    run(config, registry, out, resume=True)

    assert_same_run(out, unbroken)


def test_a_finished_run_returns_its_results_and_says_so(
    config: RunConfig, registry: Registry, unbroken: Path
) -> None:
    noting = Noting()

    found = run(config, registry, unbroken, resume=True, reporter=noting)

    assert as_json(found) == json.loads((unbroken / "results.json").read_text())
    assert "is already finished" in noting.messages[0]


def test_a_resumed_run_must_have_the_same_configuration(
    configure: Callable[..., RunConfig], unbroken: Path, registry: Registry
) -> None:
    (unbroken / "results.json").unlink()

    with pytest.raises(
        ConfigError, match=r"another configuration:\n  training\.lr: 0\.001 -> 0\.5"
    ):
        run(configure(lr=0.5), registry, unbroken, resume=True)


def test_there_must_be_something_to_resume(
    config: RunConfig, registry: Registry, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="holds no run to resume"):
        run(config, registry, tmp_path / "nowhere", resume=True)


def test_a_new_run_does_not_overwrite_one_that_can_be_resumed(
    config: RunConfig, registry: Registry, unbroken: Path
) -> None:
    with pytest.raises(ConfigError, match=r"is not empty.*or --resume"):
        run(config, registry, unbroken)


def test_other_images_than_before_are_refused(
    config: RunConfig, registry: Registry, unbroken: Path
) -> None:
    (unbroken / "results.json").unlink()
    state = unbroken / "checkpoints" / "last"
    stored = checkpoint.load(state)
    assert stored.state is not None
    stored.state["surroundings"]["pictures"] = "those of another day"
    checkpoint.save(state, stored)

    with pytest.raises(ConfigError, match="the set of images has changed"):
        run(config, registry, unbroken, resume=True)


def test_a_damaged_checkpoint_is_named(
    config: RunConfig, registry: Registry, unbroken: Path
) -> None:
    (unbroken / "results.json").unlink()
    damaged = unbroken / "checkpoints" / "last" / "weights.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-4])

    with pytest.raises(WeightsError, match=r"last/weights\.safetensors is damaged"):
        run(config, registry, unbroken, resume=True)


def test_a_run_that_another_process_does_is_in_use_whatever_its_checkpoint_holds(
    config: RunConfig, registry: Registry, unbroken: Path
) -> None:
    (unbroken / "results.json").unlink()
    (unbroken / "checkpoints" / "last" / "weights.safetensors").write_bytes(b"half of it")

    with held(unbroken), pytest.raises(ConfigError, match="is in use by process"):
        run(config, registry, unbroken, resume=True)
