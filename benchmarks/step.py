"""Compare time and memory of cfft's training step with a plain one of the same algorithm.

    python benchmarks/step.py [--json] [--model ViT-B-32] [--batch 16] [--threads 2] [--rounds 7]

All compute the object mask, the single fill, cross-entropy and feature error, and their
gradients, on random weights and images, in turns in one process: `cfft` as `cfft run` does, which
frees graphs early, `joint` with one backward pass, as `cfft.training_step` gives it to other loops,
`checkpointed` as `cfft run --checkpoint-activations` does, and `plain`. Activations are the most
bytes that autograd kept at one time, whole storages, without parameters; peak memory is that of a
fresh process each. Exits with 1 where losses differ; times and bytes decide nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import attrs
import open_clip
import torch
from plain_step import PlainStep
from torch import Tensor

import cfft
from cfft.runtime.randomness import generator
from cfft.step.engine import TrainingStep, View
from cfft.testing.activations import SavedActivations
from cfft_cams import Relevance
from cfft_fills import SingleFill
from cfft_losses import FeatureMse
from cfft_masks import ObjectMask
from cfft_tasks import CrossEntropy

CLASSES = 1000
THRESHOLD = 0.3
FEATURE_WEIGHT = 30.0
TOLERANCE = 1e-4
NAMES = ("cfft", "joint", "checkpointed", "plain")
Terms = dict[str, Tensor]
Step = Callable[[], dict[str, float]]


@attrs.frozen
class Setting:
    """Say what is measured."""

    model: str
    batch: int
    threads: int
    rounds: int


def main() -> int:
    """Measure, print, and tell by the exit code whether the losses agree."""
    options = vars(_parser().parse_args())
    as_json, only = options.pop("json"), options.pop("only")
    setting = Setting(**options)
    torch.set_num_threads(setting.threads)
    logging.getLogger().setLevel(logging.ERROR)  # open_clip warns that random weights are random
    if only:
        print(json.dumps(peak(setting, only)))
        return 0
    measured = measure(setting)
    print(json.dumps(measured, indent=2) if as_json else _sentences(measured))
    return 0 if measured["losses_agree"] else 1


def measure(setting: Setting) -> dict[str, Any]:
    """Return times, memory and losses of all."""
    # Before this process grows: on Linux a child's peak begins at what its parent holds.
    memory = {name: _peak_elsewhere(setting, name) for name in NAMES}
    steps = build(setting)
    losses = {name: step() for name, step in steps.items()}
    gaps = [
        _apart(own, losses["plain"][term]) for each in losses.values() for term, own in each.items()
    ]
    apart = max(gaps)
    seconds = in_turns(steps, setting.rounds)
    plain = memory["plain"]["activations_mib"]
    ratios = {
        name: [other / own for own, other in zip(seconds[name], seconds["plain"], strict=True)]
        for name in NAMES
    }
    return {
        **attrs.asdict(setting),
        "seconds": {name: median(values) for name, values in seconds.items()},
        "speed": {name: median(values) for name, values in ratios.items()},
        "speeds": ratios,
        "memory": memory,
        "activations": {name: each["activations_mib"] / plain for name, each in memory.items()},
        "losses": losses,
        "losses_apart": apart,
        "losses_agree": apart <= TOLERANCE,
    }


def build(setting: Setting) -> dict[str, Step]:
    """Return all steps on the same weights, images and donors."""
    torch.manual_seed(0)
    student, teacher = _classifier(setting.model), _classifier(setting.model)
    images = torch.rand(setting.batch, 3, *student.encoder.tower.image_size)
    labels = torch.randint(CLASSES, (setting.batch,))
    losses = {"feature-mse": FeatureMse(scale="raw", weight=FEATURE_WEIGHT)}
    fill, mask = SingleFill(), ObjectMask(threshold=THRESHOLD)
    views = {"counterfactual": View(mask, fill, Relevance())}
    own = TrainingStep(student, CrossEntropy(), losses, {"clip": teacher}, views)
    plain = PlainStep(student, teacher, fill, THRESHOLD)

    def run(early: bool, checkpointed: bool = False) -> Terms:
        student.encoder.checkpointed = checkpointed
        propagate = Tensor.backward if early else None
        found = own(images, labels, lambda purpose: generator(0, purpose), propagate=propagate)
        found["total"].backward()
        student.encoder.checkpointed = False
        return found

    def run_plain() -> Terms:
        found = plain(images, labels, generator(0, "fill"))
        (found["ce"] + FEATURE_WEIGHT * found["feature-mse"]).backward()
        return found

    made = {
        "cfft": partial(run, early=True),
        "joint": partial(run, early=False),
        "checkpointed": partial(run, early=True, checkpointed=True),
        "plain": run_plain,
    }
    return {name: partial(_with_gradients, terms, student) for name, terms in made.items()}


def in_turns(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every step by round; who goes first alternates."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds):
        for name in sorted(steps, reverse=number % 2 == 1):
            start = time.perf_counter()
            steps[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def peak(setting: Setting, name: str) -> dict[str, float]:
    """Return memory in MiB of this process, before and after two steps of `name`.

    The second one is made to count activations.
    """
    step = build(setting)[name]
    before = _peak_mib()
    step()
    after = _peak_mib()
    with SavedActivations() as saved:
        step()
    return {"built_mib": before, "peak_mib": after, "activations_mib": saved.peak / 2**20}


def _peak_elsewhere(setting: Setting, name: str) -> dict[str, float]:
    values = attrs.asdict(setting)
    options = [f"--{option}={value}" for option, value in values.items()]
    command = [sys.executable, __file__, *options, "--only", name]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured: dict[str, float] = json.loads(printed.splitlines()[-1])
    return measured


def _peak_mib() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _with_gradients(terms: Callable[[], Terms], model: torch.nn.Module) -> dict[str, float]:
    model.zero_grad(set_to_none=True)
    return {name: value.item() for name, value in terms().items() if name != "total"}


def _classifier(model: str) -> cfft.Classifier:
    tower = open_clip.create_model(model, pretrained=None).visual
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    size = tower.image_size
    encoder = cfft.Encoder(tower, cfft.Preprocessing(size, size[0], "bicubic", mean, std))
    weight = 100 * torch.nn.functional.normalize(torch.randn(CLASSES, encoder.dim), dim=-1)
    return cfft.Classifier(encoder, cfft.Head(weight, torch.zeros(CLASSES), normalised=True))


def _apart(first: float, second: float) -> float:
    return abs(first - second) / max(abs(first), abs(second))


def _sentences(measured: dict[str, Any]) -> str:
    return "\n".join(
        [
            f"{measured['model']}, batch {measured['batch']}, {measured['threads']} threads, "
            f"{measured['rounds']} rounds",
            *(
                f"{name:12} {measured['seconds'][name]:7.3f} s, "
                f"{measured['speed'][name]:.2f} times as fast as plain (median); activations "
                f"{measured['memory'][name]['activations_mib']:6.0f} MiB, "
                f"{measured['activations'][name]:.2f} of plain's; "
                f"peak of the process {measured['memory'][name]['peak_mib']:6.0f} MiB"
                for name in NAMES
            ),
            f"losses {'agree' if measured['losses_agree'] else 'DIFFER'}, "
            f"{measured['losses_apart']:.1e} apart",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--model", default="ViT-B-32", help="an open_clip model")
    parser.add_argument("--batch", type=int, default=16, help="images in a batch")
    parser.add_argument("--threads", type=int, default=2, help="threads of the process")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of steps to time")
    parser.add_argument("--only", choices=NAMES, help="print one's memory")
    return parser


if __name__ == "__main__":
    sys.exit(main())
