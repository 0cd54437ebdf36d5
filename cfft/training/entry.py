"""A run from its keywords: what `cfft.run` and the command `cfft run` do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from cfft.config.keywords import Keywords, given
from cfft.config.layers import Layer, read_stored, usual
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry
from cfft.runtime.files import first_free, reserved, user_path
from cfft.runtime.json_files import as_json
from cfft.runtime.progress import PythonWarnings, Reporter
from cfft.training.results import RunResults

_OF_THE_RUN = ("out", "resume", "dry_run", "before", "allow_changed", "reporter")
"""Keywords that are no settings."""


def run(
    *,
    suite: str | None = None,
    data: str | Path | None = None,
    model: str | None = None,
    pretrained: str | Path | None = None,
    head: str | None = None,
    prompts: str | Path | None = None,
    mask: str | None = None,
    fill: str | None = None,
    threshold: float | None = None,
    cam: str | None = None,
    loss: str | Sequence[str] | None = None,
    teacher: str | Sequence[str] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    precision: str | None = None,
    recipe: str | Path | None = None,
    config: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    dry_run: bool = False,
    before: str | Path | None = None,
    allow_changed: Sequence[str] = (),
    reporter: Reporter | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Fine-tune and evaluate a model, and return what results.json holds.

    The keywords are the options of `cfft run` with underscores: those in the signature, every
    other setting (`weight_decay=0.05`), and the parameters of the chosen strategies, in short
    (`rate=0.5`) or in full (`**{"mask.object.threshold": 0.5}` or `set={"mask.object.threshold":
    0.5}`). Values are Python's or text as on the command line. None in the signature means not
    given; a parameter that may be none takes None or "none". Without `suite` and `model` the run
    trains the built-in model on the built-in images.

    `out`: the run directory, by default a new one in runs/. `resume`: go on with the interrupted
    run in `out`. `dry_run`: check everything, write nothing, and return the plan. `before`: the
    directory of a finished run whose accuracies before fine-tuning are taken, where it began with
    the same model and the same images. `allow_changed`: what may differ from when a resumed run
    was started: "images" (their content), "weights", "prompts", "settings" (those of the next steps
    alone); results.json records it.
    `reporter` hears of the progress (see cfft.Reporter); without one nothing is printed. Raises a
    CfftError whose lines are those of the command line, and KeyboardInterrupt once a checkpoint to
    resume from is written.

        results = cfft.run(suite="folder", data="images", model="ViT-B-32", pretrained="openai")
        results["sets"]["test"]["top1"]
    """
    keywords = given(locals(), besides=_OF_THE_RUN)
    planned = planned_run(Registry.installed(), keywords, out, resume=resume)
    watcher = reporter or PythonWarnings()
    with planned.claimed(dry_run=dry_run) as ready:
        results = ready.start(
            dry_run=dry_run, before=before, allow_changed=allow_changed, reporter=watcher
        )
    return dict(as_json(results))


@attrs.frozen
class PlannedRun:
    """Hold a run that is configured and checked, but not begun.

    `out`: its directory. `is_named`: whether a user said so; another one is the first free one.
    """

    config: RunConfig
    registry: Registry
    out: Path
    resume: bool
    is_named: bool = True

    @contextmanager
    def claimed(self, *, dry_run: bool = False) -> Iterator[PlannedRun]:
        """Give the run its directory, one that no other process takes, unless a user named it."""
        if self.is_named or dry_run:
            yield self
            return
        with reserved(self.out) as place:
            yield attrs.evolve(self, out=place, is_named=True)

    def start(
        self,
        *,
        dry_run: bool = False,
        before: str | Path | None = None,
        allow_changed: Sequence[str] = (),
        reporter: Reporter | None = None,
    ) -> RunResults | Mapping[str, Any]:
        """Do the run and return its results, or its plan; raises as `run` does."""
        from cfft.training.inputs import check_allowed  # torch: wrong keywords do not wait for it
        from cfft.training.run import run as train

        check_allowed(allow_changed, resume=self.resume)
        return train(
            self.config, self.registry, self.out,
            resume=self.resume, dry_run=dry_run, reporter=reporter,
            before=None if before is None else user_path(before), allowed=allow_changed,
        )  # fmt: skip


def planned_run(
    registry: Registry,
    keywords: Mapping[str, Any],
    out: str | Path | None = None,
    *,
    resume: bool = False,
) -> PlannedRun:
    """Return the run that keywords stand for; raises ConfigError with every problem."""
    below = [_interrupted_run(out)] if resume else []
    config = resolve(registry, Keywords(registry).layers(keywords, below))
    if out:
        return PlannedRun(config, registry, user_path(out), resume)
    return PlannedRun(config, registry, first_free(str(_own_directory(config))), resume, False)


def _own_directory(config: RunConfig) -> Path:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("several processes need one run directory: give --out DIR")
    stem = "-".join([config.suite.name, *_method(config), f"seed{config.seed}"])
    return Path("runs", stem)


def _method(config: RunConfig) -> list[str]:
    """Name the recipe where it was taken whole, else the strategies."""
    if config.origin is not None and config.origin.whole:
        return [Path(config.origin.name).name.removesuffix(".toml")]
    method = [c.name for view in config.all_views() for c in (view.mask, view.fill)]
    method = method or [loss.name for loss in config.losses]
    own_task = [] if config.task.name == usual("task") else [config.task.name]
    on_weights = [
        chosen.name
        for chosen in (config.adaptation, config.average, config.merge)
        if chosen is not None and chosen.name != usual(chosen.kind)
    ]
    return [*([*own_task, *method] or ["vanilla"]), *on_weights]


def _interrupted_run(out: str | Path | None) -> Layer:
    if out is None:
        raise ConfigError("--resume needs the directory of the interrupted run: give --out DIR")
    config = user_path(out) / "config.toml"
    if not config.is_file():
        raise ConfigError(
            f"--resume: {out} holds no run to resume (no config.toml): omit --resume to start one"
        )
    return read_stored(config)
