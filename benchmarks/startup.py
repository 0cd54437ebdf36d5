"""Time `cfft --help` against an interpreter that does nothing.

    python benchmarks/startup.py [--json] [--rounds 7]

Both start in turns, each in a fresh process. Exits with 1 where the median of `cfft --help` is
0.5 seconds or more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from statistics import median

LIMIT = 0.5
COMMANDS = {
    "nothing": [sys.executable, "-c", "pass"],
    "help": [sys.executable, "-m", "cfft", "--help"],
    "version": [sys.executable, "-m", "cfft", "--version"],
}


def main() -> int:
    """Measure, print, and tell by the exit code whether the help is quick enough."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    result = measure(options.rounds)
    print(json.dumps(result, indent=2) if options.json else in_words(result))
    return int(result["help_seconds"] >= LIMIT)


def measure(rounds: int) -> dict[str, float]:
    """Return median seconds of each command and how many times as long as nothing they take."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            taken[name].append(_seconds(command))
    medians = {name: median(seconds) for name, seconds in taken.items()}
    ratios = {f"{name}_ratio": medians[name] / medians["nothing"] for name in ("help", "version")}
    return {**{f"{name}_seconds": seconds for name, seconds in medians.items()}, **ratios}


def in_words(result: dict[str, float]) -> str:
    """Spell the result in one line."""
    return (
        f"cfft --help: {result['help_seconds']:.3f} s, {result['help_ratio']:.1f} times as long as "
        f"an interpreter that does nothing (limit {LIMIT} s)"
    )


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
