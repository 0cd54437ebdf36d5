"""A run from its configuration to results.json, after the stages that it builds on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from cfft.config.changes import SETTINGS
from cfft.config.comparison import same_run
from cfft.config.resolve import in_current_terms
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError, shortened_list
from cfft.plugin.failures import failures_named
from cfft.plugin.registry import Registry
from cfft.runtime.devices import AUTO, make_accelerator, precision_of, processes_of
from cfft.runtime.files import check_free, write_text
from cfft.runtime.locks import held
from cfft.runtime.progress import Plan, Reporter, Silent
from cfft.training.before import finished_run
from cfft.training.disk import DiskUse, check_disk
from cfft.training.memory import memory_named
from cfft.training.merging import require_enough
from cfft.training.plan import make_plan, without_facts
from cfft.training.prepare import CheckedImages, Prepared, prepare
from cfft.training.rehearsal import rehearse_plan
from cfft.training.results import RunResults
from cfft.training.run_directory import (
    RunDirectory,
    check_directory,
    check_run,
    require_checkpoint,
)
from cfft.training.session import Session, tell_of_end
from cfft.training.stages import StagePlaces, merged_stages, planned_stages, stage_named

if TYPE_CHECKING:
    from accelerate import Accelerator


@failures_named()
def run(
    config: RunConfig,
    registry: Registry,
    out: Path,
    *,
    resume: bool = False,
    dry_run: bool = False,
    reporter: Reporter | None = None,
    before: Path | None = None,
    allowed: Collection[str] = (),
) -> RunResults | Mapping[str, Any]:
    """Fine-tune and evaluate as `config` says; return what results.json holds.

    `out`: the run directory, new or, to resume, that of a run with the same configuration. Stages
    are complete runs in its folder `stages`, done first; everything is checked before that. With
    `dry_run` nothing is written and the plan's data is returned, once a few images were measured.
    `before`: a finished run whose accuracies before fine-tuning are taken where this one begins
    alike; without it a stage's are.
    `allowed`: what may have changed since a resumed run was started (see cfft.training.inputs). No
    other process writes to the directory meanwhile.
    `reporter` and run hooks are called in the main process only. Raises a CfftError that the user
    can fix, and KeyboardInterrupt on SIGINT or SIGTERM, once a checkpoint to resume from is
    written.
    """
    directory = RunDirectory(out)
    check_directory(directory, resume=resume)
    accelerator = _accelerator(config, directory)
    hears = reporter if reporter is not None and accelerator.is_main_process else Silent()
    with ExitStack() as stack:
        if not dry_run:
            claimed = partial(_claim, stack, directory, resume=resume)
            processes_of(accelerator).on_main(claimed)
        taken = SETTINGS in allowed
        notes = check_run(directory, config, registry, allowed=taken) if resume else []
        runs = _Runs(registry, directory, hears, frozenset(allowed))
        return _run(config, runs, accelerator, notes, before, resume=resume, dry_run=dry_run)


def _run(
    config: RunConfig,
    runs: _Runs,
    accelerator: Accelerator,
    notes: Sequence[str],
    before: Path | None,
    *,
    resume: bool,
    dry_run: bool,
) -> RunResults | Mapping[str, Any]:
    registry, directory, hears = runs.registry, runs.main, runs.reporter
    finished = directory.read_results() if resume else None
    if finished is not None:
        if not _goes_on(finished, config, directory, registry, hears):
            if not dry_run:
                tell = partial(tell_of_end, directory, registry, finished)
                processes_of(accelerator).on_main(tell)
            hears.noted(f"the run in {directory.root} is already finished; these are its results")
            return finished
        require_checkpoint(directory, directory.last)
    for run_config in (config, *(stage.config for stage in config.stages)):
        if run_config.merge is not None:
            count = len(merged_stages(run_config, directory)) + 1
            require_enough(run_config.merge.name, run_config.merge.strategy, count)
    if before is not None and config.training.no_before:
        raise ConfigError(
            "--before names a run whose accuracies before fine-tuning are taken, and --no-before "
            "(training.no_before) wants none: give one of them"
        )
    known = None if before is None else finished_run(before)
    for note in notes:
        hears.warned(note)
    runs = attrs.evolve(runs, before=known)
    stages = planned_stages(config, directory, registry)
    pending = StagePlaces(directory.stages, [e.name for e in stages if e.results is None])
    plans = {
        each.name: runs.planned(each.config, each.directory, pending, accelerator)[1]
        for each in stages
    }
    prepared, plan = runs.planned(config, directory, pending, accelerator, plans)
    hears.planned(plan)
    if not resume:
        check_disk(DiskUse(**plan.data["disk"]), directory.root)
    if dry_run:
        for each in (each for each in stages if each.results is None):
            with stage_named(each.name):
                runs.rehearse(each.config, each.directory, pending, accelerator)
        with memory_named(config, prepared.batches, directory):
            rehearse_plan(config, prepared, pending, accelerator)
        return plan.data
    if not stages:
        return runs.train(config, directory, prepared, accelerator)
    del prepared
    toml = config.to_toml()
    processes_of(accelerator).on_main(lambda: _write_anew(directory, toml))
    for number, each in enumerate(stages, start=1):
        hears.noted(f"stage '{each.name}', {number} of {len(stages)}: {each.directory.root}")
        if each.results is not None:
            hears.noted("it is already finished")
            tell = partial(tell_of_end, each.directory, registry, each.results)
            processes_of(accelerator).on_main(tell)
        else:
            runs.do(each.config, each.directory)
    hears.noted(f"all stages are finished; the run itself: {directory.root}")
    return runs.do(config, directory)


def _accelerator(config: RunConfig, directory: RunDirectory) -> Accelerator:
    """Return what a run computes on; a resumed one goes on in the precision that auto meant."""
    precision = config.training.precision
    begun = directory.automatic_precision() if precision == AUTO else None
    return make_accelerator(begun or precision)


def _claim(stack: ExitStack, directory: RunDirectory, *, resume: bool) -> None:
    """Keep other processes from writing to a run, and remove what killed ones left half-written."""
    stack.enter_context(held(directory.root))
    if not resume:
        check_free(directory.root)  # another one may have written meanwhile
    directory.tidy()
    for place in sorted(directory.stages.glob("*")):
        RunDirectory(place).tidy()


def _goes_on(
    finished: RunResults,
    config: RunConfig,
    directory: RunDirectory,
    registry: Registry,
    reporter: Reporter,
) -> bool:
    """Tell whether there is something left to do for a run that has results, and say what.

    Raises ConfigError where it cannot be trained for more epochs, or is to have had other settings.
    """
    epochs = finished.config["training"]["epochs"]
    if config.training.epochs > epochs:
        if finished.merge is not None:
            raise ConfigError(
                f"--epochs {config.training.epochs}: the run in {directory.root} was merged after "
                f"its {epochs} epochs and cannot go on: start a new run"
            )
        if finished.stopped_early:
            raise ConfigError(
                f"--epochs {config.training.epochs}: the run in {directory.root} was stopped by "
                f"training.patience after {finished.epochs} epochs and cannot go on: start a new "
                "run with another --patience"
            )
        reporter.noted(f"the run in {directory.root} was finished after {epochs} epochs")
        return True
    settings = same_run(in_current_terms(finished.config, registry), config.to_dict())
    if not settings:
        raise ConfigError(
            f"--resume: the run in {directory.root} is finished, and was trained with other "
            "settings:",
            *(f"  {line}" for line in settings.differences),
            "restore config.toml and leave these options out, or start a new run in another --out",
        )
    damaged = directory.damaged(finished)
    again = [name for name in damaged if name != directory.metrics.name]
    if again:
        reporter.warned(
            f"the run in {directory.root} is finished, but missing or not as it was written: "
            f"{shortened_list(again)}: made again"
        )
    if len(again) < len(damaged):
        reporter.warned(
            f"{directory.metrics} is missing or not as it was written, and cannot be made again: "
            "restore it from a copy"
        )
    return bool(again)


@attrs.frozen(eq=False)
class _Runs:
    """Do the runs of one run directory: the main one and its stages, on images decoded once."""

    registry: Registry
    main: RunDirectory
    reporter: Reporter
    allowed: frozenset[str] = frozenset()
    before: RunDirectory | None = None
    images: CheckedImages = attrs.field(factory=CheckedImages)

    def planned(
        self,
        config: RunConfig,
        directory: RunDirectory,
        places: StagePlaces,
        accelerator: Accelerator,
        stages: Mapping[str, Plan] = MappingProxyType({}),
    ) -> tuple[Prepared, Plan]:
        """Check that a run can be done, and plan it."""
        processes = processes_of(accelerator)
        prepared = prepare(config, processes, self.reporter, places, self.images)
        device, precision = accelerator.device.type, precision_of(accelerator)
        plan = make_plan(config, prepared, directory.root, device, precision, stages)
        return prepared, plan

    def rehearse(
        self,
        config: RunConfig,
        directory: RunDirectory,
        places: StagePlaces,
        accelerator: Accelerator,
    ) -> None:
        """Prepare a run anew and measure a few images, as a run does before it is evaluated."""
        prepared, _ = self.planned(config, directory, places, accelerator)
        with memory_named(config, prepared.batches, directory):
            rehearse_plan(config, prepared, places, accelerator)

    def _finished_stage(self) -> RunDirectory | None:
        """Return a finished stage: what it measured before fine-tuning is not measured again."""
        found = (RunDirectory(path) for path in sorted(self.main.stages.glob("*")))
        return next((run for run in found if run.results.is_file()), None)

    def do(self, config: RunConfig, directory: RunDirectory) -> RunResults:
        """Do a run whose plan has been shown."""
        accelerator = _accelerator(config, directory)
        places = StagePlaces(self.main.stages)
        prepared, plan = self.planned(config, directory, places, accelerator)
        self.reporter.planned(without_facts(plan))
        return self.train(config, directory, prepared, accelerator)

    def train(
        self,
        config: RunConfig,
        directory: RunDirectory,
        prepared: Prepared,
        accelerator: Accelerator,
    ) -> RunResults:
        """Do a run that is prepared, in the directory of its own."""
        places = StagePlaces(self.main.stages)
        with memory_named(config, prepared.batches, directory, self.main):
            session = Session(
                *(config, self.registry, directory, prepared, accelerator, self.reporter),
                *(places, self.before or self._finished_stage(), self.allowed),
            )
            return session.run()


def _write_anew(directory: RunDirectory, config: str) -> None:
    """Store what the stages belong to, so that they can be resumed."""
    write_text(directory.config, config)  # first: what has one can be resumed
    directory.stages.mkdir(exist_ok=True)
