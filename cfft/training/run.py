"""A run from its configuration to results.json: prepare, evaluate, train, evaluate again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfft.config.resolve import RunConfig
from cfft.plugin.registry import Registry
from cfft.runtime.devices import make_accelerator, precision_of, processes_of
from cfft.runtime.progress import Reporter, Silent
from cfft.training.merging import require_enough
from cfft.training.plan import make_plan
from cfft.training.prepare import prepare
from cfft.training.results import RunResults
from cfft.training.run_directory import RunDirectory, check_directory
from cfft.training.session import Session


def run(
    config: RunConfig,
    registry: Registry,
    out: Path,
    *,
    resume: bool = False,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> RunResults | Mapping[str, Any]:
    """Fine-tune and evaluate as `config` says; return what results.json holds.

    `out`: the run directory, new or, to resume, that of a run with the same configuration. With
    `dry_run` nothing is written and the plan's data is returned. `reporter` and run hooks are
    called in the main process only. Raises a CfftError that the user can fix, and
    KeyboardInterrupt on SIGINT or SIGTERM, once a checkpoint to resume from is written.
    """
    directory = RunDirectory(out)
    notes = check_directory(directory, config, registry, resume=resume)
    accelerator = make_accelerator(config.training.precision)
    hears = reporter if reporter is not None and accelerator.is_main_process else Silent()
    finished = directory.read_results() if resume else None
    if finished is not None:
        hears.noted(f"the run in {out} is already finished; these are its results")
        return finished
    if config.merge is not None:
        require_enough(config.merge.name, config.merge.strategy, 1)
    for note in notes:
        hears.warned(note)
    prepared = prepare(config, processes_of(accelerator), hears)
    plan = make_plan(config, prepared, out, accelerator.device.type, precision_of(accelerator))
    hears.planned(plan)
    if dry_run:
        return plan.data
    return Session(config, registry, directory, prepared, accelerator, hears).run()
