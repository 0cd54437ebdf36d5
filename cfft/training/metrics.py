"""Measurements of a run as it goes on: sums that stay on the device, and metrics.jsonl."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import attrs
import torch
from cattrs.gen import override
from torch import Tensor

from cfft.errors import TrainingError
from cfft.runtime.documents import parse_json, read_text_file
from cfft.runtime.files import flush, naming, write_text
from cfft.runtime.json_files import structured

Metrics = Mapping[str, Any]
_REMEDY = (
    "restore it from a copy, or move it away: a resumed run then goes on without its earlier lines"
)


class Window:
    """Add up what optimiser steps gave without asking the device for it.

    `names`: what is added up. `gather`: joins a tensor of every process along its first dimension.
    `place`: number of this process and how many there are. The sums are read for a log line or a
    checkpoint only, by all processes at once; the first step whose numbers were not finite is kept
    beside them. `seconds`: how long the steps took.
    """

    def __init__(
        self,
        names: Sequence[str],
        device: torch.device,
        gather: Callable[[Tensor], Tensor],
        place: tuple[int, int] = (0, 1),
    ) -> None:
        self.names = tuple(names)
        self.steps = 0
        self.seconds = 0.0
        self._gather, self._place = gather, place
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
        """Return what `restore` goes on from: sums, as means over processes and of each one.

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
        kept = {"steps": self.steps, "sums": found, "seconds": self.seconds}
        return kept if len(rows) == 1 else {**kept, "processes": [row[:-1] for row in rows]}

    def restore(self, record: Mapping[str, Any]) -> None:
        """Go on from what `record` returned; the same number of processes has the same sums."""
        self.steps, self.seconds = record["steps"], record["seconds"]
        (process, count), rows = self._place, record.get("processes", ())
        means = [record["sums"][name] for name in self.names]
        self._sums = self._sums.new_tensor(rows[process] if len(rows) == count else means)


@attrs.frozen
class MetricsLog:
    """Write metrics.jsonl: a line per interval of optimiser steps and a line per epoch."""

    path: Path

    def write(self, line: Mapping[str, Any]) -> None:
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def rewind(self, step: int, epoch: int, written: WrittenMetrics | None = None) -> str | None:
        """Forget what came after optimiser step `step` and the end of epoch `epoch`.

        `written`: what the file held then, which its beginning has to be; older checkpoints do not
        say it. Returns a warning where the file is gone. Raises TrainingError where it is damaged.
        """
        if not self.path.exists():
            write_text(self.path, "")
            lost = written is not None and written.size
            return f"{self.path} is gone: the lines before are lost" if lost else None
        if written is not None:
            write_text(self.path, written.part_of(self.path))
            return None
        lines = [text for text, line in _lines(self.path) if _is_before(line, step, epoch)]
        write_text(self.path, "".join(f"{line}\n" for line in lines))
        return None

    def written(self) -> WrittenMetrics:
        """Describe what is written, once the disk has it."""
        if not self.path.exists():
            return WrittenMetrics.of(b"")
        flush(self.path)
        return WrittenMetrics.of(self.path.read_bytes())


@attrs.frozen
class WrittenMetrics:
    """Say what metrics.jsonl began with when a checkpoint was stored."""

    size: Annotated[int, override(rename="bytes")]
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> WrittenMetrics:
        return cls(len(content), hashlib.sha256(content).hexdigest())

    def part_of(self, path: Path) -> str:
        """Return that beginning; raises TrainingError where the file has another one."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise TrainingError(f"{path}: cannot be read: {error.strerror}: {_REMEDY}") from error
        if self.of(content[: self.size]) != self:
            raise TrainingError(
                f"{path} is damaged: it does not begin with the {self.size:,} bytes that the "
                f"checkpoint was stored with (SHA-256 {self.sha256}): {_REMEDY}"
            )
        return content[: self.size].decode()


def written_metrics(state: Mapping[str, Any], checkpoint: Path) -> WrittenMetrics | None:
    """Return what the state of a checkpoint says of metrics.jsonl, None for older versions."""
    if state.get("metrics") is None:
        return None
    return structured(state["metrics"], WrittenMetrics, str(checkpoint), TrainingError)


def read_metrics(path: Path, written: WrittenMetrics | None = None) -> tuple[Metrics, ...]:
    """Return the lines of metrics.jsonl, without a last one that a crash has cut.

    `written`: as in `MetricsLog.rewind`. Raises TrainingError where the file is damaged.
    """
    if written is not None:
        written.part_of(path)
    return tuple(line for _, line in _lines(path))


def _lines(path: Path) -> Iterator[tuple[str, Metrics]]:
    """Go through lines and what they hold; raises TrainingError with the number of a bad one."""
    try:
        *texts, last = read_text_file(path).split("\n")
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path}: {error}: {_REMEDY}") from error
    for number, text in enumerate(texts, 1):
        try:
            yield text, _line(text)
        except ValueError as error:
            raise TrainingError(
                f"{path}, line {number}: no line that cfft wrote ({error}): {_REMEDY}"
            ) from error
    with suppress(ValueError):  # the machine stopped in the middle of this line
        yield last, _line(last)


def _line(text: str) -> Metrics:
    found = parse_json(text)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    for name in ("step", "epoch"):
        if type(found.get(name)) is not int:
            raise ValueError(f"no whole number '{name}'")
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name!r} is no number")
    return found


def _is_before(line: Metrics, step: int, epoch: int) -> bool:
    return bool(line["epoch"] <= epoch if "val_top1" in line else line["step"] <= step)
