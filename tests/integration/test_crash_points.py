"""Runs that end at any of their writes: resumed, they leave the files of an undisturbed run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry
from cfft.runtime.files import is_remains
from cfft.training.run import run

from .test_resume import assert_same_run

_WRITES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "shutil.rmtree")
_CRASHED = 9


@attrs.define
class Watch:
    """Count the writes of this process below a folder, and end it without a word at one of them."""

    below: str = ""
    crash_at: int | None = None
    count: int = 0

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event of Python."""
        if not self.below or not self._writes(event, arguments):
            return
        self.count += 1
        if self.count == self.crash_at:
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
    _watch.below, _watch.crash_at, _watch.count = "", None, 0


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
    assert_same_run(one, other)
    for name in ("config.toml", "counterfactuals.png"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    for path in (one / "predictions").rglob("*.npz"):
        with np.load(path) as ours, np.load(other / path.relative_to(one)) as theirs:
            for key in ours:
                np.testing.assert_array_equal(ours[key], theirs[key])


@pytest.mark.parametrize("part", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_run_that_ends_at_any_write_is_resumed_to_the_same_files(
    config: RunConfig, registry: Registry, tmp_path: Path, watch: Watch, part: int
) -> None:
    unbroken = tmp_path / "unbroken"
    watch.below = str(unbroken)
    run(config, registry, unbroken)
    count, watch.below = watch.count, ""
    assert count > 60
    few = range(3, count + 1, count // 3)
    every = [point for point in range(1, count + 1) if point not in few]

    for point in every if part else few:
        out = tmp_path / f"crashed-{point}"

        def crash(out: Path = out, point: int = point) -> None:
            watch.below, watch.crash_at, watch.count = str(out), point, 0
            run(config, registry, out)

        assert in_child(crash) == _CRASHED
        begun = (out / "config.toml").exists()
        if not begun:
            assert all(map(is_remains, out.iterdir() if out.exists() else ()))
        again = partial(run, config, registry, out, resume=begun)
        assert in_child(again) == 0, point
        assert_same_files(out, unbroken)
