"""Draw every random number from a seed that says what it is for, never from a carried state."""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, purpose: str, process: int = 0, step: int = 0) -> torch.Generator:
    """Return a fresh CPU generator for one purpose of one process at one step.

    `purpose`: what is drawn; `step`: what it is drawn anew for, where that is not the run:
    "order" of the training images: the epoch; "mask" and "fill": the micro-batch, counted through
    the run; "split" and "subset" of the images: the class; "sheet-mask" and "sheet-fill": once;
    "bootstrap SET": once.
    Initial weights are never drawn here: those of `--pretrained random` are alike for every seed.
    The same four values give the same draws on every machine, so that a resumed run needs no
    stored state.
    """
    return torch.Generator().manual_seed(_seed_of(seed, purpose, process, step))


def _seed_of(*parts: int | str) -> int:
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
