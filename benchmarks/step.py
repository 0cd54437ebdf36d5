"""Compare time, memory and arithmetic of cfft's training step with a plain one and with vanilla.

    python benchmarks/step.py [--model ViT-B-32] [--batch 16] [--threads 2] [--rounds 7] [--json]
        [--masks object,context,random] [--fills none,single,multi] [--precisions fp32,bf16]
        [--steps cfft,joint,checkpointed,plain,vanilla] [--device cpu] [--peaks]

All compute a mask, a fill, cross-entropy and feature error, and their gradients, on random weights
and images, in turns in one process: `cfft` as `cfft run` does, which frees graphs early, `joint`
with one backward pass, as `cfft.training_step` gives it to other loops, `checkpointed` as
`cfft run --checkpoint-activations` does, and `plain`; `vanilla` is cross-entropy alone. `--model`
takes an open_clip model (ViT-B-32, ViT-B-16, ViT-L-14) or cfft-mini, the embedded one.

F is what a forward pass of the image tower needs; a step's is counted, not timed. The share of the
peak is the step's arithmetic by time, against large matrix products of the same precision in the
same run. Activations are the most bytes that autograd kept at one time, whole storages, without
parameters; peak memory is the device's where there is a GPU, else with `--peaks` that of a fresh
process each. Exits with 1 where losses in float32 differ; times and bytes decide nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from statistics import median
from typing import Any

import attrs
import torch
from arithmetic import matmul_peak, operations, seconds_of, wait
from step_cases import FILLS, MASKS, PRECISIONS, STEPS, VANILLA, Case, Steps, case

from cfft.testing.activations import SavedActivations

TOLERANCE = 1e-4
_MIB = 2**20


def main() -> int:
    """Measure, print, and tell by the exit code whether the losses agree."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    logging.getLogger().setLevel(logging.ERROR)  # open_clip warns that random weights are random
    if options.only:
        print(json.dumps(peak(options, Case(*options.only.split(",")))))
        return 0
    measured = measure(options)
    print(json.dumps(measured, indent=2) if options.json else "\n".join(_lines(measured)))
    return 0 if measured["losses_agree"] else 1


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return times, memory, arithmetic and losses of all cases."""
    cases = _cases(options)
    # Before this process grows: on Linux a child's peak begins at what its parent holds.
    peaks = {each: _peak_elsewhere(options, each) for each in cases if options.peaks}
    steps = Steps(options.model, options.batch, options.device)
    taking = {each: steps.taking(each) for each in cases}
    losses = {each: {k: float(v) for k, v in take().items()} for each, take in taking.items()}
    forward = operations(steps.forward)
    matmul = {p: matmul_peak(p, steps.device) for p in options.precisions}
    seconds = _in_turns(taking, options.rounds, steps.device)
    apart = max([0.0, *_gaps(losses)])
    rows = []
    for each in cases:
        count = operations(taking[each])
        row = {
            **attrs.asdict(each),
            "seconds": median(seconds[each]),
            "rounds": seconds[each],
            "images_per_second": options.batch / median(seconds[each]),
            "speed": {
                f"{step} {precision}": _ratio(seconds, each, each.of(step, precision))
                for step, precision in product(("plain", VANILLA), options.precisions)
                if each.of(step, precision) in seconds
            },
            "forward_passes": count / forward,
            "share_of_peak": count / median(seconds[each]) / matmul[each.precision],
            "memory": {**_memory(taking[each], steps.device), **peaks.get(each, {})},
            "losses": losses[each],
        }
        rows.append(row)
    asked = ("model", "batch", "threads", "device")
    return {
        **{name: getattr(options, name) for name in asked},
        "rounds": options.rounds,
        "matmul_operations_per_second": matmul,
        "cases": rows,
        "losses_apart": apart,
        "losses_agree": apart <= TOLERANCE,
    }


def peak(options: argparse.Namespace, case: Case) -> dict[str, float]:
    """Return memory in MiB of this process, before and after a step of `case`."""
    step = Steps(options.model, options.batch, options.device).taking(case)
    before = _peak_mib()
    step()
    return {"built_mib": before, "peak_mib": _peak_mib()}


def _cases(options: argparse.Namespace) -> list[Case]:
    axes = (options.precisions, options.masks, options.fills, options.steps)
    return list(dict.fromkeys(case(step, m, f, p) for p, m, f, step in product(*axes)))


def _in_turns(
    taking: Mapping[Case, Any], rounds: int, device: torch.device
) -> dict[Case, list[float]]:
    """Return the seconds of every case by round; who goes first alternates."""
    seconds: dict[Case, list[float]] = {each: [] for each in taking}
    for number in range(rounds):
        for each in [*taking][:: -1 if number % 2 else 1]:
            seconds[each].append(seconds_of(taking[each], device))
    return seconds


def _ratio(seconds: Mapping[Case, Sequence[float]], own: Case, other: Case) -> float:
    """Return how many times as fast as `other` a case is: the median over rounds."""
    return median(b / a for a, b in zip(seconds[own], seconds[other], strict=True))


def _memory(take: Any, device: torch.device) -> dict[str, float]:
    """Return the MiB of activations, and on a GPU the most that was allocated."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with SavedActivations() as saved:
        take()
    wait(device)
    found = {"activations_mib": saved.peak / _MIB}
    if device.type == "cuda":
        found["peak_mib"] = torch.cuda.max_memory_allocated(device) / _MIB
    return found


def _gaps(losses: Mapping[Case, Mapping[str, float]]) -> list[float]:
    """Return how far terms in float32 are from those of the plain step, relatively."""
    return [
        abs(value - plain[name]) / max(abs(value), abs(plain[name]))
        for each, own in losses.items()
        if each.precision == "fp32" and (plain := losses.get(each.of("plain")))
        for name, value in own.items()
    ]


def _peak_elsewhere(options: argparse.Namespace, case: Case) -> dict[str, float]:
    values = {name: getattr(options, name) for name in ("model", "batch", "threads", "device")}
    given = [f"--{name}={value}" for name, value in values.items()]
    command = [sys.executable, __file__, *given, "--only", ",".join(attrs.astuple(case))]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured: dict[str, float] = json.loads(printed.splitlines()[-1])
    return measured


def _peak_mib() -> float:
    unit = _MIB if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _lines(measured: Mapping[str, Any]) -> list[str]:
    device, threads = measured["device"], measured["threads"]
    where = f"{device}, {threads} threads" if device == "cpu" else device
    matmul = ", ".join(
        f"{precision} {rate / 1e9:,.0f} GFLOP/s"
        for precision, rate in measured["matmul_operations_per_second"].items()
    )
    head = f"{measured['model']}, batch {measured['batch']}, {where}, {measured['rounds']} rounds"
    agree = "agree" if measured["losses_agree"] else "DIFFER"
    return [
        f"{head}; matrix products: {matmul}",
        *map(_line, measured["cases"]),
        f"losses in float32 {agree}, {measured['losses_apart']:.1e} apart",
    ]


def _line(row: Mapping[str, Any]) -> str:
    label = Case(*(row[name] for name in ("step", "mask", "fill", "precision"))).label
    memory = row["memory"]
    peak = f", peak {memory['peak_mib']:,.0f} MiB" if "peak_mib" in memory else ""
    speed = "".join(f", {ratio:.2f} x {other}" for other, ratio in row["speed"].items())
    return (
        f"{label:36} {row['seconds']:8.3f} s {row['images_per_second']:9.1f} images/s "
        f"{row['forward_passes']:5.2f} F {100 * row['share_of_peak']:4.0f} % of peak; activations "
        f"{memory['activations_mib']:,.0f} MiB{peak}; as fast as{speed.removeprefix(',')}"
    )


def _several(allowed: Sequence[str]) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in allowed]:
            raise argparse.ArgumentTypeError(f"got {unknown[0]!r}, allowed: {', '.join(allowed)}")
        return names

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found = "cuda" if torch.cuda.is_available() else "cpu"
    add = parser.add_argument
    add("--json", action="store_true", help="print everything as JSON")
    add("--model", default="ViT-B-32", help="an open_clip model, or cfft-mini")
    add("--batch", type=int, default=16, help="images in a batch")
    add("--threads", type=int, default=2, help="threads of the process")
    add("--rounds", type=int, default=7, help="rounds of steps to time")
    add("--masks", type=_several([*MASKS]), default=["object"], help=", ".join(MASKS))
    add("--fills", type=_several([*FILLS]), default=["single"], help=", ".join(FILLS))
    add("--precisions", type=_several(PRECISIONS), default=["fp32"], help=", ".join(PRECISIONS))
    add("--steps", type=_several(STEPS), default=[*STEPS], help=", ".join(STEPS))
    add("--device", default=found, help="cpu or cuda")
    add("--peaks", action="store_true", help="measure the peak memory of a fresh process each")
    add("--only", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
