"""Measurements of a run as it goes on: sums that stay on the device, and metrics.jsonl."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from cfft.errors import TrainingError
from cfft.runtime.files import flush, write_text


class Window:
    """Add up what optimiser steps gave without asking the device for it.

    `names`: what is added up. `gather`: joins a tensor of every process along its first dimension.
    The sums are read for a log line or a checkpoint only, by all processes at once; the first step
    whose numbers were not finite is kept beside them. `seconds`: how long the steps took.
    """

    def __init__(
        self, names: Sequence[str], device: torch.device, gather: Callable[[Tensor], Tensor]
    ) -> None:
        self.names = tuple(names)
        self.steps = 0
        self.seconds = 0.0
        self._gather = gather
        self._sums = torch.zeros(len(names), device=device)
        self._first_bad = torch.zeros((), device=device)

    def add(self, step: int, values: Mapping[str, Tensor]) -> None:
        """Add what optimiser step `step`, counted from 1, gave: scalar tensors by name."""
        row = torch.stack([values[name].float() for name in self.names])
        is_first = (self._first_bad == 0) & ~row.isfinite().all()
        self._first_bad.masked_fill_(is_first, step)
        self._sums += row
        self.steps += 1

    def means(self) -> dict[str, float]:
        """Return the means over steps and processes, and begin anew; raises as `record` does."""
        means = {name: total / self.steps for name, total in self.record()["sums"].items()}
        self.restore({"steps": 0, "sums": dict.fromkeys(self.names, 0.0), "seconds": 0.0})
        return means

    def record(self) -> dict[str, Any]:
        """Return what `restore` goes on from: sums, as means over processes.

        Raises TrainingError, on every process, where one had a number that was not finite.
        """
        rows = self._gather(torch.cat([self._sums, self._first_bad[None]])[None]).tolist()
        columns = list(zip(*rows, strict=True))
        sums = [sum(column) / len(rows) for column in columns[:-1]]
        found = dict(zip(self.names, sums, strict=True))
        bad = [int(step) for step in columns[-1] if step]
        if bad:
            culprits = [name for name, total in found.items() if not math.isfinite(total)]
            raise TrainingError(
                f"the loss stopped being finite at optimiser step {min(bad)} "
                f"({', '.join(culprits)}): the last good checkpoint is intact; lower training.lr, "
                "set training.clip_norm or use another training.precision"
            )
        return {"steps": self.steps, "sums": found, "seconds": self.seconds}

    def restore(self, record: Mapping[str, Any]) -> None:
        """Go on from what `record` returned."""
        self.steps, self.seconds = record["steps"], record["seconds"]
        self._sums = self._sums.new_tensor([record["sums"][name] for name in self.names])


@attrs.frozen
class MetricsLog:
    """Write metrics.jsonl: a line per interval of optimiser steps and a line per epoch."""

    path: Path

    def write(self, line: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def flush(self) -> None:
        """Let what was written outlast a power cut."""
        if self.path.exists():
            flush(self.path)

    def rewind(self, step: int, epoch: int) -> None:
        """Forget what came after optimiser step `step` and the end of epoch `epoch`."""
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if _is_before(line, step, epoch)]
        write_text(self.path, "".join(f"{line}\n" for line in kept))


def _is_before(line: str, step: int, epoch: int) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:  # the machine stopped in the middle of this line
        return False
    return bool(entry["epoch"] <= epoch if "val_top1" in entry else entry["step"] <= step)
