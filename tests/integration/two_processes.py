"""Start a program as two processes on CPUs that know of each other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import attrs


@attrs.frozen
class Ended:
    """Hold how a process ended and what it said."""

    code: int
    err: str


def on_two(program: str, *words: object) -> list[Ended]:
    """Run a program in two processes that know of each other, without a launcher to kill them."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    shared |= {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, *map(str, words)],
            env={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    said = [process.communicate(timeout=900)[1] for process in running]
    print(*said, sep="\n")  # pytest shows it where a test fails
    return [Ended(p.returncode, err) for p, err in zip(running, said, strict=True)]


def errors(ended: Ended) -> list[str]:
    """Return the lines of a process that speak of an error."""
    return [line for line in ended.err.splitlines() if "rror" in line]
