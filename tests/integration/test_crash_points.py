"""Runs that end at any of their writes: resumed, they leave the files of an undisturbed run."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.config.stages import stage_tables
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry
from cfft.runtime.files import is_remains
from cfft.training.run import run

from .test_resume import assert_same_run

_WRITES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "shutil.rmtree")
_CRASHED = 9
_DROPPED = re.compile(r"shutil\.rmtree /(stages/\w+/)?checkpoints/epoch-\d+")
_OWN = re.compile(r"os\.rename .*/(unmerged|\.results\.json)[^/]*\.partial")


@attrs.define
class Watch:
    """Note the writes of this process below a folder, and end it without a word at one of them."""

    below: str = ""
    crash_at: int | None = None
    writes: list[str] = attrs.field(factory=list)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event of Python."""
        if not self.below or not self._writes(event, arguments):
            return
        self.writes.append(f"{event} {str(arguments[0]).removeprefix(self.below)}")
        if len(self.writes) == self.crash_at:
            os._exit(_CRASHED)

    def _writes(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            if not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
                return False
        elif event not in _WRITES:
            return False
        return str(arguments[0]).startswith(self.below)


_watch = Watch()
sys.addaudithook(_watch.hear)


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Return the one watch, which looks at nothing any more after the test."""
    yield _watch
    _watch.below, _watch.crash_at, _watch.writes = "", None, []


@pytest.fixture
def config(configure: Callable[..., RunConfig], layer: Layer) -> RunConfig:
    """Configure a run of two steps that stores each of them."""
    layer.choose("mask", ["random"])
    return configure(epochs=2, batch_size=36, micro_batch=18, log_every=1, checkpoint_every="1")


def in_child(action: Callable[[], object]) -> int:
    """Do something in a forked process and return its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except ConfigError as error:
            print(error, file=sys.stderr)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def assert_same_files(one: Path, other: Path) -> None:
    assert files(one) == files(other)
    for results in one.rglob("results.json"):
        assert_same_run(results.parent, other / results.parent.relative_to(one))
    for name in ("config.toml", "counterfactuals.png"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    for path in (one / "predictions").rglob("*.npz"):
        with np.load(path) as ours, np.load(other / path.relative_to(one)) as theirs:
            for key in ours:
                np.testing.assert_array_equal(ours[key], theirs[key])


Choose = Callable[[list[str]], Iterable[int]]


def assert_resumable(
    config: RunConfig, registry: Registry, folder: Path, watch: Watch, choose: Choose
) -> None:
    """Compare the files of an undisturbed run with those of runs that crashed and went on.

    `choose`: says of all writes in turn which ones to crash at, counted from 1.
    """
    unbroken = folder / "unbroken"
    watch.below = str(unbroken)
    run(config, registry, unbroken)
    watch.below, points = "", [*choose(watch.writes)]
    assert points

    for point in points:
        out = folder / f"crashed-{point}"

        def crash(out: Path = out, point: int = point) -> None:
            watch.below, watch.crash_at, watch.writes = str(out), point, []
            run(config, registry, out)

        assert in_child(crash) == _CRASHED
        begun = (out / "config.toml").exists()
        if not begun:
            assert all(map(is_remains, out.iterdir() if out.exists() else ()))
        again = partial(run, config, registry, out, resume=begun)
        assert in_child(again) == 0, point
        assert_same_files(out, unbroken)
        shutil.rmtree(out)


def few(writes: list[str]) -> Iterable[int]:
    assert len(writes) > 60
    return range(3, len(writes) + 1, len(writes) // 3)


def others(writes: list[str]) -> Iterable[int]:
    return sorted({*range(1, len(writes) + 1)} - {*few(writes)})


def dropping(writes: list[str]) -> Iterable[int]:
    """Choose the removal of whole checkpoints of epochs, which comes after all else of an epoch."""
    return [n for n, write in enumerate(writes, 1) if _DROPPED.fullmatch(write)]


def some(writes: list[str]) -> Iterable[int]:
    """Choose one in forty, and those of what plain runs do not have."""
    own = (number for number, write in enumerate(writes, 1) if _OWN.fullmatch(write))
    return sorted({*range(1, len(writes) + 1, 40), *dropping(writes), *own})


@pytest.mark.parametrize("choose", [few, pytest.param(others, marks=pytest.mark.slow)])
def test_a_run_that_ends_at_any_write_is_resumed_to_the_same_files(
    config: RunConfig, registry: Registry, tmp_path: Path, watch: Watch, choose: Choose
) -> None:
    assert_resumable(config, registry, tmp_path, watch, choose)


@pytest.fixture
def improving(config: RunConfig, configure: Callable[..., RunConfig]) -> RunConfig:
    """Configure a run whose last epoch takes the place of its first among the two best."""
    return configure(epochs=3, lr=1e-4, keep_best=2, val_metric="loss")


def test_a_run_that_ends_before_it_drops_an_epoch_drops_it_when_it_is_resumed(
    improving: RunConfig, registry: Registry, tmp_path: Path, watch: Watch
) -> None:
    assert_resumable(improving, registry, tmp_path, watch, dropping)


@pytest.mark.slow
def test_a_run_with_kept_epochs_a_merge_and_a_stage_is_resumed_to_the_same_files(
    improving: RunConfig,
    layer: Layer,
    configure: Callable[..., RunConfig],
    registry: Registry,
    tmp_path: Path,
    watch: Watch,
) -> None:
    layer.stages = stage_tables([{"name": "vanilla", "recipe": "vanilla", "merged": True}], "test")
    layer.choose("merge", ["uniform-soup"])

    assert_resumable(configure(), registry, tmp_path, watch, some)
