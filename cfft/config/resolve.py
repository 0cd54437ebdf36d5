"""The resolved configuration of a run: defaults < recipe < file < command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from cfft.config.choices import Choices, choose, strategies
from cfft.config.contradictions import (
    bad_averages,
    bad_labels,
    bad_teachers,
    nothing_learnt,
    repeated_images,
)
from cfft.config.layers import (
    LISTS,
    Choice,
    Layer,
    joined,
    layer_of,
    parse_seed,
    read_defaults,
)
from cfft.config.origin import origin
from cfft.config.run_config import Chosen, ChosenView, RunConfig, Stage, strategy_table
from cfft.config.settings import Model, Training
from cfft.config.stages import StageTable, stage_of
from cfft.config.staging import declared_stages, stage_layers
from cfft.config.views import MadeView, made_views
from cfft.errors import ConfigError, PluginError, Problems, unknown_name
from cfft.plugin.kinds import CONFIGURED
from cfft.plugin.params import declaration
from cfft.plugin.registry import Registry
from cfft.runtime.files import with_home
from cfft.step.interfaces import Task
from cfft.step.needs import followed_by_map

_NO_MODEL = "no model is chosen: give --model NAME, as in --model ViT-B-32 --pretrained openai"


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
    parse_seed(main.seed + table.seed, "its own and the main run's seed together")
    split = main.images_seed if table.seed else main.split_seed
    seeds = Layer("main run", seed=main.seed + table.seed, split_seed=split)
    config = _resolved(registry, [*layers, seeds], earlier=earlier)
    if strategy_table(config.suite) != strategy_table(main.suite):
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


def _at_home(model: Any) -> Any:
    """Return the settings with the home directory in place of ~ where they are paths."""
    given = {key: getattr(model, key) for key in ("name", "pretrained", "prompts")}
    return attrs.evolve(model, **{k: with_home(v) for k, v in given.items() if v is not None})


def build(
    registry: Registry,
    layers: Sequence[Layer],
    choices: Choices,
    problems: Problems,
    without_model: str = _NO_MODEL,
) -> RunConfig:
    """Make what a run uses of what layers say; raises as `resolve` does, `problems` among all."""
    made = {kind: strategies(registry, layers, choices, kind, problems) for kind in CONFIGURED}
    problems += bad_labels(choices)
    views = made_views(registry, layers, choices.views, choices.context, problems)
    looking = [*made["mask"].values(), *made["cam"].values()]
    looking += [
        found for view in views for kind, found in view.strategies.items() if kind != "fill"
    ]
    followers = [followed_by_map(each) for each in looking]
    tasks = {pick: Task.of(task) for pick, task in made["task"].items()}
    problems += bad_teachers(registry, choices, {**tasks, **made["loss"]}, followers)
    problems += bad_averages(made["teacher"], made["average"])
    problems += nothing_learnt(choices, made["task"])
    model = _settings(layers, Model, problems, without_model)
    training = _settings(layers, Training, problems)
    if training is not None:
        problems += repeated_images(training.sampling, made["task"])
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
        model=_at_home(model),
        training=training,
        losses=chosen["loss"],
        teachers=chosen["teacher"],
        views=tuple(_chosen_view(registry, view) for view in views),
        origin=origin(registry, layers, choices.picks),
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
