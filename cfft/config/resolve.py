"""The resolved configuration of a run: defaults < recipe < file < command line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import tomlkit

from cfft.config.choices import Choices, choose, followed_by_map, followed_teacher, strategies
from cfft.config.layers import LISTS, Choice, Layer, joined, layer_of, read_defaults
from cfft.config.settings import Model, Training
from cfft.config.stages import StageTable, stage_of
from cfft.config.staging import declared_stages, stage_layers
from cfft.config.views import MadeView, made_views
from cfft.errors import ConfigError, PluginError, Problems, unknown_name
from cfft.plugin.kinds import KINDS
from cfft.plugin.params import NAME, declaration, values_of
from cfft.plugin.registry import Registry
from cfft.step.interfaces import COUNTERFACTUAL, RESERVED_LABELS, Task, Teacher
from cfft.step.needs import needs_of

_FILES = ("name", "pretrained", "prompts")
_OF_THE_WHOLE = ("seed", "split_seed", "cfft", "plugins")
_NO_MODEL = "no model is chosen: give --model NAME, as in --model ViT-B-32 --pretrained openai"


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
        return {"label": self.label, **{c.kind: _table(c) for c in self.strategies()}}


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
    images are split with, None for `seed`. `stages`: runs to train before this one.
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
        tables.update({c.kind: _table(c) for c in self._single()})
        tables["loss"] = [_table(chosen) for chosen in self.losses]
        tables["teacher"] = [_table(chosen) for chosen in self.teachers]
        if self.views:
            tables["view"] = [view.table() for view in self.views]
        if self.stages:
            tables["stage"] = [stage.table() for stage in self.stages]
        tables["plugins"] = {c.plugin: c.version for c in self.strategies()}
        return tables

    def to_toml(self) -> str:
        """Return TOML from which `--config` makes the same configuration."""
        return tomlkit.dumps(self.to_dict())


def _portable(values: dict[str, Any]) -> dict[str, Any]:
    """Make paths absolute, so that the file means the same from every folder."""
    return {key: _absolute(value) if key in _FILES else value for key, value in values.items()}


def _absolute(value: str) -> str:
    """Make `FILE`, `PREFIX:FILE` and `PREFIX:SOME/FOLDER` absolute; names stay as they are."""
    prefix, colon, rest = value.rpartition(":")
    path = Path(rest).expanduser()
    if path.is_file() or (colon and os.sep in rest and path.is_dir()):
        return f"{prefix}{colon}{path.resolve()}"
    return value


def _table(chosen: Chosen) -> dict[str, Any]:
    head = {"use": chosen.name}
    if chosen.label != chosen.name:
        head["label"] = chosen.label
    paths = {
        key: str(value.resolve())
        for key, value in attrs.asdict(chosen.strategy, recurse=False).items()
        if isinstance(value, Path) and stage_of(value) is None
    }
    return {**head, **values_of(chosen.strategy), **paths}


def resolve(
    registry: Registry, layers: Sequence[Layer], without_model: str = _NO_MODEL
) -> RunConfig:
    """Check and join layers, lowest first; raises ConfigError with every problem, one per line.

    `without_model`: the problem where no layer names a model.
    """
    return _resolved(registry, layers, without_model)


def _resolved(
    registry: Registry,
    layers: Sequence[Layer],
    without_model: str = _NO_MODEL,
    earlier: Sequence[str] = (),
) -> RunConfig:
    """Resolve a run, or a stage of one: `earlier` are the stages that are trained before it."""
    problems = Problems()
    choices = choose(registry, layers, problems)
    config = build(registry, layers, choices, problems, without_model)
    tables, place = declared_stages(layers)
    stages: list[Stage] = []
    for table in tables:
        with problems.noted(f"stage '{table.name}': "):
            own = stage_layers(registry, layers, place, choices.picks, table)
            known = [stage.name for stage in stages]
            stages.append(_stage(registry, own, config, table, known))
    problems += _unknown_stages(config, [*earlier, *(table.name for table in tables)])
    problems.check()
    return attrs.evolve(config, stages=tuple(stages))


def _stage(
    registry: Registry,
    layers: Sequence[Layer],
    main: RunConfig,
    table: StageTable,
    earlier: Sequence[str],
) -> Stage:
    """Resolve a stage; other draws than the main run's still split the images as it does."""
    split = main.images_seed if table.seed else main.split_seed
    seeds = Layer("main run", seed=main.seed + table.seed, split_seed=split)
    config = _resolved(registry, [*layers, seeds], earlier=earlier)
    if _table(config.suite) != _table(main.suite):
        raise ConfigError("it has other images than the main run: leave its suite out")
    if (config.model.name, config.model.pretrained) != (main.model.name, main.model.pretrained):
        raise ConfigError("it starts from another model than the main run: leave its model out")
    return Stage(table.name, config, table.seed, table.merged)


def _unknown_stages(config: RunConfig, names: Sequence[str]) -> Iterator[str]:
    """Refuse paths in stages that do not exist, or are not trained before."""
    for chosen in config.strategies():
        for name, value in attrs.asdict(chosen.strategy, recurse=False).items():
            stage = stage_of(value) if isinstance(value, Path) else None
            if stage is not None and stage not in names:
                path = f"{chosen.kind}.{chosen.label}.{name}"
                yield f"{path}: {unknown_name('stage', stage, names, 'trained before')}"


def in_current_terms(config: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """Return what a stored configuration means now: with the settings that came after it.

    They have their defaults. Versions stay; one that is not understood any more stays as it is.
    """
    with suppress(ConfigError, PluginError):
        layers = [read_defaults(), layer_of(config, "config.toml")]
        versions = {key: config[key] for key in ("cfft", "plugins") if key in config}
        return {**resolve(registry, layers).to_dict(), **versions}
    return dict(config)


def build(
    registry: Registry,
    layers: Sequence[Layer],
    choices: Choices,
    problems: Problems,
    without_model: str = _NO_MODEL,
) -> RunConfig:
    """Make what a run uses of what layers say; raises as `resolve` does, `problems` among all."""
    made = {kind: strategies(registry, layers, choices, kind, problems) for kind in KINDS}
    problems += _bad_labels(choices)
    views = made_views(registry, layers, choices.views, choices.context, problems)
    looking = [*made["mask"].values(), *made["cam"].values()]
    looking += [
        found for view in views for kind, found in view.strategies.items() if kind != "fill"
    ]
    followers = [followed_by_map(each) for each in looking]
    tasks = {pick: Task.of(task) for pick, task in made["task"].items()}
    problems += _bad_teachers(registry, choices, {**tasks, **made["loss"]}, followers)
    problems += _bad_averages(made["teacher"], made["average"])
    problems += _nothing_learnt(choices, made["task"])
    model = _settings(layers, Model, problems, without_model)
    training = _settings(layers, Training, problems)
    problems.check()
    chosen = {
        kind: tuple(_chosen(registry, kind, *each) for each in found.items())
        for kind, found in made.items()
    }
    single: dict[str, Any] = {
        kind: next(iter(each), None) for kind, each in chosen.items() if kind not in LISTS
    }
    seeds = [layer.seed for layer in layers if layer.seed is not None]
    splits = [layer.split_seed for layer in layers if layer.split_seed is not None]
    return RunConfig(
        seed=seeds[-1] if seeds else 0,
        split_seed=splits[-1] if splits else None,
        model=model,
        training=training,
        losses=chosen["loss"],
        teachers=chosen["teacher"],
        views=tuple(_chosen_view(registry, view) for view in views),
        **single,
    )


def _chosen_view(registry: Registry, view: MadeView) -> ChosenView:
    chosen = {
        kind: _chosen(registry, kind, Choice(use, use), view.strategies[kind])
        for kind, use in view.uses.items()
    }
    return ChosenView(view.label, chosen["mask"], chosen["fill"], chosen.get("cam"))


def _chosen(registry: Registry, kind: str, pick: Choice, strategy: Any) -> Chosen:
    plugin = registry.find(kind, pick.use).plugin
    return Chosen(kind, pick.label, pick.use, strategy, plugin.distribution, plugin.version)


def _settings(
    layers: Sequence[Layer],
    table: type[Any],
    problems: Problems,
    without_name: str | None = None,
) -> Any:
    """Make the run's own settings; `without_name`: the problem where they lack a name."""
    declared = declaration(table)
    said = ((layer.source, layer.settings.get(declared.kind, {})) for layer in layers)
    values, sources = joined(said)
    if without_name is not None and "name" not in values:
        problems.append(without_name)
        return None
    with problems.noted():
        return declared.build(values, {}, sources)


def _bad_labels(choices: Choices) -> Iterator[str]:
    for kind in LISTS:
        for label in choices.labels(kind):
            if not re.fullmatch(NAME, label) or (kind == "loss" and label in RESERVED_LABELS):
                yield (
                    f"no {kind} can be labelled '{label}': labels are letters, digits, - and "
                    f"_, other than {', '.join(sorted(RESERVED_LABELS))}"
                )


def _bad_teachers(
    registry: Registry,
    choices: Choices,
    terms: Mapping[Choice, Any],
    followers: Sequence[str | None],
) -> Iterator[str]:
    """Refuse teachers that are followed and do not exist, and those that nothing follows.

    `followers`: the labels that masks and maps follow, or None.
    """
    labels = choices.labels("teacher")
    names = {*labels, *registry.names("teacher")}
    for pick, term in terms.items():
        kind = "task" if pick in choices.picks.get("task", ()) else "loss"
        if followed_teacher(term) not in ("", *labels):
            path = f"{kind}.{pick.label}.teacher"
            yield f"{path}: {unknown_name('teacher', followed_teacher(term), names)}"
    for label in followers:
        if label not in (None, *labels):
            yield f"mask or cam: {unknown_name('teacher', str(label), names)}"
    idle = [
        label
        for label in labels
        if label not in followers and not any(_follows(*each, label) for each in terms.items())
    ]
    losses = choices.picks.get("loss", ())
    if idle and set(losses) <= set(terms):
        paths = ", ".join(f"--loss.{pick.label}.teacher {idle[0]}" for pick in losses)
        yield (
            f"teacher '{idle[0]}' is not followed by any loss: give {paths or 'a --loss'}, "
            "or leave the teacher out"
        )


def _follows(pick: Choice, term: Any, teacher: str) -> bool:
    """Tell whether a term looks at a teacher; one that names none looks at each."""
    looks = any(need.startswith("teacher.") for need in needs_of(pick.label, term))
    return looks and followed_teacher(term) in ("", teacher)


def _bad_averages(teachers: Mapping[Choice, Any], averages: Mapping[Choice, Any]) -> Iterator[str]:
    """Refuse teachers that follow an average that nobody chose."""
    for pick, teacher in teachers.items():
        if Teacher.of(teacher).follows_average and not averages:
            yield (
                f"teacher '{pick.label}' follows an average of the student's weights, and none is "
                "chosen: give --average NAME"
            )


def _nothing_learnt(choices: Choices, tasks: Mapping[Choice, Any]) -> Iterator[str]:
    if choices.labels("loss") or any(Task.of(task).weight > 0 for task in tasks.values()):
        return
    if tasks:
        yield f"nothing is learnt: task '{next(iter(tasks)).use}' has no weight, and no --loss"
