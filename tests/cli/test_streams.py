"""Readers that have gone, full disks and closed streams: commands go on and end as they should."""

from __future__ import annotations

import subprocess
import sys

import pytest

CFFT = f"{sys.executable} -m cfft"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    words = ["bash", "-c", f"set -o pipefail; {command}"]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("plugins list --json | head -1", 0),
        ("plugins list | true", 0),
        ("plugins list >&-", 0),
        ("plugins list >&- 2>&-", 0),
        ("plugins lst 2>&-", 2),
        ("plugins lst 2>/dev/full", 2),
        ("run --help | true", 0),
    ],
)
def test_a_reader_that_has_gone_is_no_failure(command: str, code: int) -> None:
    ended = shell(f"{CFFT} {command}")

    assert (ended.returncode, ended.stderr) == (code, "")


@pytest.mark.parametrize("command", ["plugins list", "plugins list --json", "--version"])
def test_output_that_is_lost_on_a_full_disk_is_told(command: str) -> None:
    ended = shell(f"{CFFT} {command} >/dev/full")

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: stdout: No space left on device: ")
    assert len(ended.stderr.splitlines()) == 1


def test_streams_that_others_close_stay_open_for_cfft() -> None:
    closing = "import sys; sys.stdout.close(); sys.stderr.close()"
    program = (
        "from cfft.cli.streams import lasting_streams, say\n"
        f"with lasting_streams():\n    {closing}\n    say('still here')"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"still here\n", b"")
