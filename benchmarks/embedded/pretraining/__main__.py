"""Pre-train cfft-mini: `python -m benchmarks.embedded.pretraining --out DIR`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import attrs
import torch

from .schedule import Settings
from .training import Training


def main() -> None:
    """Read the command line and train; a run that was cut off goes on."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of pools, log, checkpoints")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch")
    for field in attrs.fields(Settings):
        flag = f"--{field.name.replace('_', '-')}"
        kind = field.default.__class__
        parser.add_argument(flag, type=_switch if kind is bool else kind, default=field.default)
    given = vars(parser.parse_args())
    torch.set_num_threads(given.pop("threads"))
    Training(folder=given.pop("out"), settings=Settings(**given)).run()


def _switch(word: str) -> bool:
    return {"on": True, "off": False}[word]


if __name__ == "__main__":
    main()
