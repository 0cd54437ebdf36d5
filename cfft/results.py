"""A run on disk: which directory may be used, and what results.json says."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import attrs

from cfft.checkpoint import is_checkpoint, verify, write_text
from cfft.config import RunConfig
from cfft.errors import ConfigError, DataError, several
from cfft.evaluate import Score, mean_top1
from cfft.layers import SEED, parse_seed, parse_toml, read_text

SCHEMA = 1
_VERSIONS = ("cfft", "plugins")


@attrs.frozen
class RunDirectory:
    """Name the files of a run."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.root / "config.toml"

    @property
    def metrics(self) -> Path:
        """One JSON object a line, per interval of steps and per epoch."""
        return self.root / "metrics.jsonl"

    @property
    def sheet(self) -> Path:
        """Pictures of what the mask hides and the fill makes, before fine-tuning."""
        return self.root / "counterfactuals.png"

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.root / "checkpoints" / "last"

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation accuracy."""
        return self.root / "checkpoints" / "best"

    @property
    def results(self) -> Path:
        """The results; a run that has them is finished."""
        return self.root / "results.json"

    def predictions(self, name: str, *, before: bool = False) -> Path:
        """Predictions for a set, of the final model or of the one before fine-tuning."""
        folder = self.root / "predictions"
        return (folder / "before" if before else folder) / f"{name}.npz"

    def read_config(self) -> dict[str, Any]:
        """Return the resolved configuration as config.toml holds it; raises ConfigError."""
        what = "config file"
        return parse_toml(read_text(self.config, what), f"{what} {self.config}")

    def read_seed(self) -> int:
        """Return the seed of its configuration; raises ConfigError."""
        return parse_seed(self.read_config().get(SEED.name, SEED.default), f"{self.config}: seed")

    def read_results(self) -> dict[str, Any] | None:
        """Return the results of a finished run, None of any other.

        Raises DataError for a file that cfft did not write.
        """
        if not self.results.is_file():
            return None
        try:
            content: dict[str, Any] = json.loads(self.results.read_text("utf-8"))
            schema = content.get("schema", SCHEMA)
        except (ValueError, AttributeError) as error:
            raise DataError(f"{self.results}: no results that cfft wrote ({error})") from error
        if schema != SCHEMA:
            raise DataError(f"{self.results}: schema {schema}, this version of cfft reads {SCHEMA}")
        return content

    def read_digest(self) -> str | None:
        """Return a SHA-256 that tells a finished run from all others, None of an unfinished one.

        It is that of results.json, which a run takes along wherever it is moved.
        """
        if not self.results.is_file():
            return None
        return hashlib.sha256(self.results.read_bytes()).hexdigest()

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Write results.json in one stroke."""
        write_text(self.results, json.dumps(results, indent=2) + "\n")


def check_directory(run: RunDirectory, config: RunConfig, *, resume: bool) -> list[str]:
    """Check that a run may write to its directory, and return what is unusual about it.

    A new run needs one that is empty or does not exist; a resumed one its checkpoint and the
    configuration that it was started with. Raises ConfigError.
    """
    if resume:
        return _check_resumable(run, config)
    remedy = ", or --resume to go on with the run in it" if is_checkpoint(run.last) else ""
    check_free(run.root, remedy)
    return []


def check_free(root: Path, remedy: str = "") -> None:
    """Raise ConfigError unless a directory is empty or can be made; `remedy` ends the message."""
    if root.is_dir() and any(root.iterdir()):
        raise ConfigError(f"--out {root} is not empty: give another directory{remedy}")
    check_fillable(root)


def check_fillable(root: Path) -> None:
    """Raise ConfigError unless files can be put into a directory, which is made where need be."""
    if root.exists() and not root.is_dir():
        raise ConfigError(f"--out {root} is a file: give a directory that can be filled")
    nearest = next(place for place in (root, *root.resolve().parents) if place.exists())
    if not nearest.is_dir():
        raise ConfigError(f"--out {root} cannot be made: {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"--out {root} cannot be made: {nearest} is not writable for you")


def _check_resumable(run: RunDirectory, config: RunConfig) -> list[str]:
    if not is_checkpoint(run.last) or not run.config.is_file():
        raise ConfigError(
            f"--resume: {run.root} holds no run to go on with (no {run.last.relative_to(run.root)} "
            "or no config.toml): leave --resume out to start one"
        )
    before = run.read_config()
    changed = changes(before, config)
    if changed:
        head = f"--resume: the run in {run.root} was started with another configuration:"
        tail = "leave these options out, or start a new run in another --out"
        raise ConfigError(several([head, *(f"  {line}" for line in changed), tail]))
    verify(run.last)
    versions = differences(_versions(before), _versions(config.to_dict()))
    return [f"the run was started with another version: {line}" for line in versions]


def changes(before: Mapping[str, Any], now: RunConfig) -> list[str]:
    """Name the settings in which a stored configuration differs from `now`, versions aside."""
    return list(differences(_settings(before), _settings(now.to_dict())))


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in _VERSIONS}


def _versions(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key in _VERSIONS}


def differences(before: Any, now: Any, path: str = "") -> Iterator[str]:
    """Go through the values that differ between two configurations, as `path: before -> now`."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(before.get(key), now.get(key), inner)
    elif before != now:
        yield f"{path}: {_shown(before)} -> {_shown(now)}"


def check_agree(configs: Mapping[str, Mapping[str, Any]], table: str, remedy: str) -> None:
    """Raise ConfigError, which ends with `remedy`, unless all have the same settings in a table.

    `configs`: configurations by what the error calls them.
    """
    for (first, one), (second, other) in pairwise(configs.items()):
        changed = list(differences(one[table], other[table], table))
        if changed:
            raise ConfigError(
                f"{first} and {second} have another {table} ({'; '.join(changed)}): {remedy}"
            )


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)


@attrs.frozen
class Spread:
    """Hold the mean over `count` runs and their standard deviation (N - 1; None for one run)."""

    mean: float
    std: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise one or more values."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


@attrs.frozen
class SetScores:
    """Hold the scores of a model on the ID test set and on the OOD sets, by name."""

    test: tuple[str, Score]
    ood: tuple[tuple[str, Score], ...]

    def record(self) -> dict[str, Any]:
        """Return what results.json says of them; without OOD sets their average is None."""
        name, score = self.test
        sets = {name: score.record("id"), **{name: s.record("ood") for name, s in self.ood}}
        return {"sets": sets, "ood_average": mean_top1(score for _, score in self.ood)}


def gains(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return how top-1 changed, after minus before, by set and for the OOD average."""
    both = before["ood_average"] is not None
    return {
        "sets": {
            name: after["sets"][name]["top1"] - entry["top1"]
            for name, entry in before["sets"].items()
        },
        "ood_average": after["ood_average"] - before["ood_average"] if both else None,
    }
