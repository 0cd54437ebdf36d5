"""A teacher that is the average of the student's weights, from the start to a resumed end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

import cfft
from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Silent
from cfft.testing import tiny_classifier
from cfft.training import session
from cfft.training.run import run

Configure = Callable[..., RunConfig]


class StopError(Exception):
    """Stand for whatever ends a process without a warning."""


class StoppingAt(Silent):
    """End the run after an optimiser step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, step: int, metrics: Mapping[str, float]) -> None:
        if step == self.step:
            raise StopError


@pytest.fixture
def config(configure: Configure, layer: Layer) -> RunConfig:
    """Configure 2 epochs of 3 steps that distil from the average, with a checkpoint each step."""
    layer.choose("mask", ["random"])
    layer.choose("average", ["ema"])
    layer.values["average", "ema"] = {"decay": 0.5}
    layer.choose("teacher", ["average"])
    layer.values["loss", "feature-mse"] = {"scale": "raw", "teacher": "average"}
    return configure(lr=1e-2, log_every=1, checkpoint_every="1")


def last(out: Path) -> dict[str, Any]:
    found = checkpoint.load(out / "checkpoints" / "last")
    return {**found.weights, **{f"trained {k}": v for k, v in found.trained.items()}}


def test_the_teacher_is_the_average_and_moves_with_the_student(
    config: RunConfig, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[cfft.Classifier, cfft.Classifier]] = []
    of = session.training_step

    def noting(*args: Any, **keywords: Any) -> Any:
        step = of(*args, **keywords)
        seen.append((step.teacher("average").classifier, keywords["average"]))
        return step

    monkeypatch.setattr(session, "training_step", noting)

    run(config, registry, tmp_path / "run")

    ((teacher, average),) = seen
    student = checkpoint.load(tmp_path / "run" / "checkpoints" / "last").weights
    assert teacher is average
    assert not torch.equal(teacher.weights()["head.weight"], student["head.weight"])


def test_a_run_with_it_differs_from_one_with_the_pre_trained_teacher(
    config: RunConfig, configure: Configure, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.choose("teacher", ["clip"])
    layer.values["loss", "feature-mse"] = {"scale": "raw"}
    run(config, registry, tmp_path / "average")

    run(configure(), registry, tmp_path / "clip")

    one, other = (last(tmp_path / name)["head.weight"] for name in ("average", "clip"))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("step", [2, 5])
def test_a_run_that_ended_in_the_middle_of_an_epoch_goes_on_bit_for_bit(
    config: RunConfig, registry: Registry, tmp_path: Path, step: int
) -> None:
    run(config, registry, tmp_path / "unbroken")
    with pytest.raises(StopError):
        run(config, registry, tmp_path / "broken", reporter=StoppingAt(step))

    run(config, registry, tmp_path / "broken", resume=True)

    assert_close(last(tmp_path / "broken"), last(tmp_path / "unbroken"), rtol=0, atol=0)


def test_without_an_average_it_is_refused_in_one_line(configure: Configure, layer: Layer) -> None:
    layer.choose("teacher", ["average"])
    layer.values["loss", "feature-mse"] = {"teacher": "average"}

    with pytest.raises(ConfigError, match=r"^teacher 'average' follows .*give --average NAME$"):
        configure()


def test_an_own_loop_has_no_average_to_follow(tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text('[average]\nuse = "ema"\n[[loss]]\nuse = "logit-kl"\nteacher = "average"\n')

    with pytest.raises(ConfigError, match="average 'ema' is what cfft"):
        cfft.training_step(tiny_classifier(), config=config)
