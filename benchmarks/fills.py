"""Time every installed fill against one forward pass of the model that it fills images for.

    python benchmarks/fills.py [--json] [--model NAME --pretrained TAG] [--batch 64] [--rounds 9]

All hide every second patch of random images, in turns in one process, after one round that does not
count. The ratio is the median over rounds of the fill's time by that of a pass without gradients in
the same round; a training step makes several such passes. `restyle` is timed with its default
styles and with each alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch

import cfft
from cfft.config.keywords import EMBEDDED
from cfft.config.layers import read_recipe
from cfft.plugin.registry import Registry
from cfft_fills import RestyleFill
from cfft_fills.styles import STYLES

CLASSES = 24
Action = Callable[[], object]


def main() -> int:
    """Measure and print."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    measured = measure(options.model, options.pretrained, options.batch, options.rounds)
    print(json.dumps(measured, indent=2) if options.json else _sentences(measured))
    return 0


def measure(model: str | None, pretrained: str | None, batch: int, rounds: int) -> dict[str, Any]:
    """Return seconds of the pass, and of every fill with its ratio to the pass."""
    name = model or read_recipe(EMBEDDED).settings["model"]["name"]
    classes = [f"class {number}" for number in range(CLASSES)]
    loaded = cfft.starting_model(model=name, pretrained=pretrained, classes=classes)
    classifier = loaded.classifier.eval()
    images = torch.rand(batch, 3, *loaded.preprocessing.size)
    given = cfft.Batch(images, torch.arange(batch) % CLASSES)
    hidden = torch.zeros(batch, *classifier.encoder.grid, dtype=torch.bool)
    hidden.flatten(1)[:, ::2] = True
    selection = cfft.MaskSelection(hidden)

    def forward() -> object:
        with torch.inference_mode():
            return classifier(images)

    actions = {"forward pass": forward, **_fillings(given, selection)}
    seconds = in_turns(actions, rounds + 1)
    passes = seconds.pop("forward pass")[1:]
    return {
        "model": name,
        "batch": batch,
        "size": list(images.shape[-2:]),
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        "forward_seconds": median(passes),
        "fills": {
            fill: {
                "seconds": median(own[1:]),
                "ratio": median(x / y for x, y in zip(own[1:], passes, strict=True)),
            }
            for fill, own in seconds.items()
        },
    }


def _fillings(batch: cfft.Batch, selection: cfft.MaskSelection) -> dict[str, Action]:
    """Return the refilling of the batch by each installed fill, by name and style."""
    registry = Registry.installed()
    made: dict[str, Any] = {}
    for name in registry.names("fill"):
        made[name] = registry.build("fill", name, {}, {})
    for style in STYLES:
        made[f"restyle {style}"] = RestyleFill(styles=(style,))
    return {name: _filling(fill, batch, selection) for name, fill in made.items()}


def _filling(fill: Any, batch: cfft.Batch, selection: cfft.MaskSelection) -> Action:
    return lambda: fill.refill(batch, selection, torch.Generator().manual_seed(0))


def in_turns(actions: dict[str, Action], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every action by round."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds):
        for name in sorted(actions, reverse=number % 2 == 1):
            start = time.perf_counter()
            actions[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def _sentences(measured: dict[str, Any]) -> str:
    height, width = measured["size"]
    fills: dict[str, dict[str, float]] = measured["fills"]
    lines: Sequence[str] = [
        f"{name:22} {1000 * own['seconds']:8.1f} ms {100 * own['ratio']:6.1f} % of a pass"
        for name, own in fills.items()
    ]
    head = (
        f"{measured['model']}, {measured['batch']} images of {height} x {width}, "
        f"{measured['threads']} threads: a pass takes {1000 * measured['forward_seconds']:.1f} ms"
    )
    return "\n".join([head, *lines])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--model", help="a model as in cfft run [default the embedded one]")
    parser.add_argument("--pretrained", help="its weights, as in cfft run")
    parser.add_argument("--batch", type=int, default=64, help="images in a batch")
    parser.add_argument("--threads", type=int, default=1, help="threads of the process")
    parser.add_argument("--rounds", type=int, default=9, help="rounds to time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
