"""A resolved configuration: the strategies that a run uses, and the way to TOML."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import tomlkit

from cfft.config.origin import RecipeOrigin
from cfft.config.settings import Model, Training
from cfft.config.stages import stage_of
from cfft.model.weight_paths import split_nest
from cfft.plugin.params import values_of
from cfft.runtime.outside import for_toml
from cfft.step.interfaces import COUNTERFACTUAL

_FILES = ("name", "pretrained", "prompts")
_OF_THE_WHOLE = ("seed", "split_seed", "cfft", "plugins")


@attrs.frozen
class Chosen:
    """Hold a strategy that the run uses; `label` is what others refer to it by."""

    kind: str
    label: str
    name: str
    strategy: Any
    plugin: str
    version: str


@attrs.frozen
class ChosenView:
    """Hold the strategies of a view; `label` is what losses refer to it by."""

    label: str
    mask: Chosen
    fill: Chosen
    cam: Chosen | None

    def strategies(self) -> Iterator[Chosen]:
        """Go through the strategies that make the view."""
        yield from (chosen for chosen in (self.mask, self.fill, self.cam) if chosen is not None)

    def table(self) -> dict[str, Any]:
        """Return a table [[view]] as TOML holds it."""
        return {"label": self.label, **{c.kind: strategy_table(c) for c in self.strategies()}}


@attrs.frozen
class Stage:
    """Hold a run that is trained before the main one; see StageTable."""

    name: str
    config: RunConfig
    seed: int
    merged: bool

    def table(self) -> dict[str, Any]:
        """Return a table [[stage]] as TOML holds it; the seed is the main run's plus `seed`."""
        said = self.config.to_dict()
        config = {key: value for key, value in said.items() if key not in _OF_THE_WHOLE}
        return {"name": self.name, "seed": self.seed, "merged": self.merged, "config": config}


@attrs.frozen
class RunConfig:
    """Hold everything that determines a run, resolved and checked.

    `mask`, `fill` and `cam` are None where no loss looks at counterfactual images. `views`: further
    ones, by label. `average` and `merge` are None where none is chosen. `split_seed`: the seed that
    images are split with, None for `seed`. `stages`: runs to train before this one. `origin`: the
    recipe that it comes from; a stored configuration has none.
    """

    seed: int
    model: Model
    training: Training
    backbone: Chosen
    suite: Chosen
    mask: Chosen | None
    fill: Chosen | None
    cam: Chosen | None
    task: Chosen
    losses: tuple[Chosen, ...]
    teachers: tuple[Chosen, ...]
    views: tuple[ChosenView, ...]
    adaptation: Chosen
    average: Chosen | None
    merge: Chosen | None
    split_seed: int | None = None
    stages: tuple[Stage, ...] = ()
    origin: RecipeOrigin | None = attrs.field(default=None, eq=False)

    @property
    def images_seed(self) -> int:
        """Return the seed that images are split and sampled with."""
        return self.seed if self.split_seed is None else self.split_seed

    @property
    def architecture(self) -> str:
        """Return the model's name as its backbone knows it, without `BACKBONE:`."""
        return self.model.name.removeprefix(f"{self.backbone.name}:")

    def strategies(self) -> Iterator[Chosen]:
        """Go through every strategy that the run uses."""
        yield from self._single()
        yield from (*self.losses, *self.teachers)
        yield from (chosen for view in self.views for chosen in view.strategies())

    def main_view(self) -> ChosenView | None:
        """Return the view that the run's own mask, fill and map make, or None."""
        if self.mask is None or self.fill is None:
            return None
        return ChosenView(COUNTERFACTUAL, self.mask, self.fill, self.cam)

    def all_views(self) -> tuple[ChosenView, ...]:
        """Return every view that some loss looks at."""
        main = self.main_view()
        return (*([] if main is None else [main]), *self.views)

    def _single(self) -> Iterator[Chosen]:
        single = (
            *(self.backbone, self.suite, self.mask, self.fill, self.cam),
            *(self.task, self.adaptation, self.average, self.merge),
        )
        yield from (chosen for chosen in single if chosen is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as TOML and JSON hold it; what is None is left out."""
        tables: dict[str, Any] = {"seed": self.seed}
        if self.split_seed is not None:
            tables["split_seed"] = self.split_seed
        tables["cfft"] = {"version": version("cfft")}
        tables["model"] = _portable(values_of(self.model))
        tables["training"] = values_of(self.training)
        tables.update({c.kind: strategy_table(c) for c in self._single()})
        tables["loss"] = [strategy_table(chosen) for chosen in self.losses]
        tables["teacher"] = [strategy_table(chosen) for chosen in self.teachers]
        if self.views:
            tables["view"] = [view.table() for view in self.views]
        if self.stages:
            tables["stage"] = [stage.table() for stage in self.stages]
        tables["plugins"] = {c.plugin: c.version for c in self.strategies()}
        return tables

    def to_toml(self) -> str:
        """Return TOML from which `--config` makes the same configuration."""
        return tomlkit.dumps(for_toml(self.to_dict()))


def _portable(values: dict[str, Any]) -> dict[str, Any]:
    """Make paths absolute, so that the file means the same from every folder."""
    return {key: _absolute(value) if key in _FILES else value for key, value in values.items()}


def _absolute(value: str) -> str:
    """Make `FILE`, `FILE:NEST`, `PREFIX:FILE` and `PREFIX:SOME/FOLDER` absolute.

    Names stay as they are.
    """
    file, nest = split_nest(Path(value).expanduser())
    if file.is_file():
        return f"{file.resolve()}:{nest}" if nest else str(file.resolve())
    prefix, colon, rest = value.rpartition(":")
    path = Path(rest).expanduser()
    if path.is_file() or (colon and os.sep in rest and path.is_dir()):
        return f"{prefix}{colon}{path.resolve()}"
    return value


def strategy_table(chosen: Chosen) -> dict[str, Any]:
    head = {"use": chosen.name}
    if chosen.label != chosen.name:
        head["label"] = chosen.label
    paths = {
        key: os.path.realpath(value)  # Path.resolve has no answer to a link to itself
        for key, value in attrs.asdict(chosen.strategy, recurse=False).items()
        if isinstance(value, Path) and stage_of(value) is None
    }
    return {**head, **values_of(chosen.strategy), **paths}
