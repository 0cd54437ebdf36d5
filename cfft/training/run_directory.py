"""A run on disk: the names of its files, and the directories that it may use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import attrs

from cfft.config.changes import check_changes
from cfft.config.comparison import same_versions, shape_problem
from cfft.config.layers import SEED, check_whole, parse_seed, parse_toml, read_text
from cfft.config.resolve import in_current_terms
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError, WeightsError
from cfft.model import checkpoint
from cfft.model.checkpoint import MANIFEST, is_checkpoint, load_state, verify
from cfft.plugin.registry import Registry
from cfft.runtime.files import StoredFile, check_free, remove_partial
from cfft.runtime.json_files import read_json, structured
from cfft.training.results import RunResults
from cfft.training.state import RunState

PREDICTIONS = "predictions"
_AUTO = "auto"
_EPOCH = "epoch-"


def _within(*parts: str) -> Any:
    return attrs.Factory(lambda run: run.root.joinpath(*parts), takes_self=True)


@attrs.frozen
class RunDirectory:
    """Name the files of a run.

    `config`: the resolved configuration. `metrics`: one JSON object per line, per interval of steps
    and per epoch. `sheet`: images of what the mask hides and the fill makes, before fine-tuning.
    `last`: the checkpoint to resume from. `best`: that with the best validation accuracy, or what
    was merged with it, and then `unmerged` is the one before the merge. `epoch(n)`: one of the best
    epochs where several are kept. `stages`: the folder of
    the runs that this one builds on. `results`: a run that has them is finished. `untold`: there
    until the hooks have heard of them.
    """

    root: Path
    config: Path = attrs.field(init=False, default=_within("config.toml"))
    metrics: Path = attrs.field(init=False, default=_within("metrics.jsonl"))
    sheet: Path = attrs.field(init=False, default=_within("counterfactuals.png"))
    last: Path = attrs.field(init=False, default=_within("checkpoints", "last"))
    best: Path = attrs.field(init=False, default=_within("checkpoints", "best"))
    unmerged: Path = attrs.field(init=False, default=_within("checkpoints", "unmerged"))
    results: Path = attrs.field(init=False, default=_within("results.json"))
    untold: Path = attrs.field(init=False, default=_within(".cfft.untold"))
    stages: Path = attrs.field(init=False, default=_within("stages"))

    def epoch(self, number: int) -> Path:
        """Return the checkpoint of an epoch, counted from 1, where several are kept."""
        return self.last.with_name(f"{_EPOCH}{number}")

    def epochs(self) -> dict[int, Path]:
        """Return the checkpoints of epochs that are there, by number."""
        return {n: path for n, path in self._begun_epochs().items() if path.exists()}

    def _begun_epochs(self) -> dict[int, Path]:
        """Return the checkpoints of epochs that are there, or of which something was left."""
        found = (path.with_suffix("") for path in self.last.parent.glob(f"{_EPOCH}*"))
        numbers = {path: path.name.removeprefix(_EPOCH) for path in found}
        return {int(number): path for path, number in numbers.items() if number.isdecimal()}

    def stage(self, name: str) -> RunDirectory:
        """Return the directory of a run that this one builds on."""
        return RunDirectory(self.stages / name)

    def predictions(self, name: str, *, before: bool = False) -> Path:
        """Predictions for a set, of the final model or of the one before fine-tuning."""
        folder = self.root / PREDICTIONS
        return (folder / "before" if before else folder) / f"{name}.npz"

    def read_config(self) -> dict[str, Any]:
        """Return the resolved configuration as config.toml holds it; raises ConfigError."""
        what = "config file"
        found = parse_toml(read_text(self.config, what), f"{what} {self.config}")
        check_whole(found, f"{what} {self.config}")
        problem = shape_problem(found)
        if problem is not None:
            raise ConfigError(f"{what} {self.config}: {problem}")
        return found

    def read_seed(self) -> int:
        """Return the seed that its images are split with; raises ConfigError."""
        config = self.read_config()
        found = config.get("split_seed", config.get(SEED.name))
        if found is None:
            raise ConfigError(f"{self.config}: no seed, which all runs have: restore it")
        return parse_seed(found, f"{self.config}: seed")

    def automatic_precision(self) -> str | None:
        """Return what the precision auto meant as the run was begun, None where nothing says it.

        Raises WeightsError for a damaged checkpoint.
        """
        if not is_checkpoint(self.last):
            return None
        begun = load_state(self.last).get("surroundings", {})
        asked = (begun.get("config") or {}).get("training", {}).get("precision")
        return str(begun["machine"]["precision"]) if asked == _AUTO else None

    def stored_files(self) -> dict[str, StoredFile]:
        """Describe the files that a run leaves besides config.toml, checkpoints and results.json.

        By path in the directory; the checkpoints have digests of their own.
        """
        found = [self.metrics, self.sheet, *sorted((self.root / PREDICTIONS).rglob("*.npz"))]
        return {
            path.relative_to(self.root).as_posix(): StoredFile.of(path)
            for path in found
            if path.is_file()
        }

    def damaged(self, results: RunResults) -> list[str]:
        """Return which of a finished run's files are missing or not as its results say."""
        files = results.files.items()
        return [name for name, stored in files if not stored.describes(self.root / name)]

    def tidy(self) -> None:
        """Remove what a session that was killed left half-written; see `cfft.runtime.locks`."""
        remove_partial(self.root)
        for place in (self.last, self.best, self.unmerged, *self._begun_epochs().values()):
            checkpoint.tidy(place)

    def read_results(self) -> RunResults | None:
        """Return the results of a finished run, None of any other.

        Raises DataError for a file that cfft did not write.
        """
        is_finished = self.results.exists()
        return read_json(self.results, RunResults, "results") if is_finished else None

    def read_digest(self) -> str | None:
        """Return a SHA-256 that tells a finished run from all others, None of an unfinished one.

        It is that of results.json, which a run takes along wherever it is moved.
        """
        if not self.results.is_file():
            return None
        return hashlib.sha256(self.results.read_bytes()).hexdigest()


def is_begun(run: RunDirectory) -> bool:
    """Tell whether a directory holds a run to resume; without a checkpoint it begins anew."""
    return run.config.is_file()


def check_directory(run: RunDirectory, *, resume: bool) -> None:
    """Raise ConfigError where a run cannot write to a directory.

    A new run needs one that is empty or does not exist; a resumed one a run, see `check_run`.
    """
    if not resume:
        check_free(run.root, ", or --resume to continue the run in it" if is_begun(run) else "")
    elif not is_begun(run):
        raise ConfigError(
            f"--resume: {run.root} holds no run to resume (no config.toml): omit --resume to start "
            "one"
        )


def check_run(
    run: RunDirectory, config: RunConfig, registry: Registry, *, allowed: bool | None = None
) -> list[str]:
    """Check that a directory holds no other run than `config` says; return what is unusual.

    More epochs than before are allowed: they are added. `allowed`: whether a user takes other
    settings, None where that is not possible. Raises ConfigError for another run, WeightsError for
    a checkpoint that is damaged or gone.
    """
    if not run.config.is_file():
        return []
    before, now = in_current_terms(run.read_config(), registry), config.to_dict()
    head = f"--resume: the run in {run.root} was started with another configuration:"
    tail = "leave these options out, or start a new run in another --out"
    check_changes(before, now, head, tail, allowed=allowed)
    check_checkpoints(run)
    versions = same_versions(before, now).differences
    return [f"the run was started with another version: {line}" for line in versions]


def check_checkpoints(run: RunDirectory) -> None:
    """Compare the checkpoints of a run with their digests.

    Raises WeightsError for one that is damaged, and for one that is gone although results.json or
    the checkpoint `last` counts on it.
    """
    present = [place for place in (run.last, run.best) if is_checkpoint(place)]
    for place in dict.fromkeys([*present, *_counted_on(run)]):
        require_checkpoint(run, place)


def require_checkpoint(run: RunDirectory, place: Path) -> None:
    """Compare a checkpoint that a run needs with its digests; raises WeightsError without it."""
    if not is_checkpoint(place):
        raise WeightsError(
            f"the checkpoint {place.name} of the run in {run.root} is gone or incomplete (no "
            f"{MANIFEST}): restore it from a copy, or start a new run in another --out"
        )
    verify(place)


def _counted_on(run: RunDirectory) -> list[Path]:
    """Return the checkpoints that a run has to have besides `last`, which knows its epochs."""
    results = run.read_results()
    always = [] if results is None else [run.best]
    if results is not None and results.merge is not None:
        always.append(run.unmerged)
    if not is_checkpoint(run.last):
        return [*always, *map(run.epoch, () if results is None else results.kept_epochs)]
    stored = load_state(run.last).get("run", {})
    state = structured(stored, RunState, str(run.last), WeightsError)
    best = [run.best] if state.best_epoch else []
    return [*always, *best, *(run.epoch(each.epoch) for each in state.kept)]
