"""Random generators, seeded for each purpose; no state is carried from step to step."""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, purpose: str, process: int = 0, step: int = 0) -> torch.Generator:
    """Return a fresh CPU generator for one purpose of one process at one step.

    `purpose`, and the `step` that each draw is for: "order" of the training images: the epoch;
    "augment": the image, counted through the run; "mask" and "fill", "mask VIEW" and "fill VIEW" of
    further views, "text", "adaptation": the micro-batch, counted through the run; "split" and
    "subset" of the images: the class; "subset of classes": 0; "coverage-mask" and "coverage-mask
    VIEW": the batch of the sample; "sheet-augment" and "augment-trial": the row; "sheet-mask",
    "sheet-fill", "adapters" and "bootstrap SET": 0. Initial weights are never drawn here: those of
    `--pretrained random` are the same for every seed. The same four values give the same draws on
    every machine, so that a resumed run needs no stored state.
    """
    digest = hashlib.sha256(repr((seed, purpose, process, step)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))
