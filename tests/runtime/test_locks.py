"""One writer at a time in a directory."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cfft.errors import ConfigError
from cfft.runtime.locks import held

HOLDING = """
import sys, time
from collections.abc import Iterator
from pathlib import Path
from cfft.runtime.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start another process that holds `tmp_path / "out"`."""
    command = [sys.executable, "-c", HOLDING, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_process_is_told_who_has_the_directory(
    other: subprocess.Popen[str], tmp_path: Path
) -> None:
    said = rf"out is in use by process {other.pid} on {socket.gethostname()} \(since 20"
    with pytest.raises(ConfigError, match=said), held(tmp_path / "out"):
        pass
    assert (tmp_path / "out").is_dir()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_process_that_was_killed_is_free(
    other: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    other.send_signal(number)
    other.wait()

    with held(tmp_path / "out"):
        owner = json.loads((tmp_path / "out" / ".cfft.owner.json").read_text())
        assert owner["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    assert not any((tmp_path / "out").iterdir())


def test_nothing_is_left_of_a_directory_that_was_not_used(tmp_path: Path) -> None:
    with held(tmp_path / "runs" / "one"):
        assert (tmp_path / "runs" / "one").is_dir()

    assert not any(tmp_path.iterdir())


def test_one_process_does_not_take_a_directory_twice(tmp_path: Path) -> None:

    with held(tmp_path), pytest.raises(ConfigError, match=f"by process {os.getpid()}"):  # noqa: SIM117
        with held(tmp_path):
            pass
