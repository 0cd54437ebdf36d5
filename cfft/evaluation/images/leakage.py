"""Leakage: runs that may have been trained on the images that they are measured on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cfft.config.comparison import check_agree, in_terms_of, same_images
from cfft.config.layers import Layer
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.data.suite import Suite
from cfft.errors import CfftError
from cfft.evaluation.images.sets import draws_test_set, measured_images
from cfft.evaluation.models.finding import ModelRef, run_layers
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Reporter
from cfft.training.run_directory import RunDirectory


def check_one_suite(
    found: Sequence[ModelRef], asked: Layer, config: RunConfig, registry: Registry
) -> None:
    """Raise ConfigError for runs whose suites differ, where `asked` does not choose one.

    `config`: the one that would be measured. What `asked` settles for all may differ, and settings
    that leave the sets to measure on as they are.
    """
    if "suite" in asked.chosen:
        return
    full = (values for (kind, _), values in asked.values.items() if kind == "suite")
    settled = set(asked.short).union(*full)
    chosen = _without(config.to_dict()["suite"], settled)
    suites = {}
    for name, run, own in _trained(found):
        suite = in_terms_of(own, chosen)
        is_alike = suite != chosen and _has_images_of(config, run, registry)
        suites[name] = {"suite": chosen if is_alike else suite}
    remedy = "choose the images with --suite and its parameters, or measure them separately"
    check_agree(suites, "suite", remedy)


def warn_of_other_settings(
    found: Sequence[ModelRef], config: RunConfig, registry: Registry, reporter: Reporter
) -> None:
    """Warn of each run that was trained on the chosen data with other settings.

    `config`: what is measured. Another domain `id`, say, makes training images OOD ones. A run
    that was measured on the same sets itself is sound.
    """
    unconcerned = set(Suite.of(config.suite.strategy).only_measured)
    chosen = _without(config.to_dict()["suite"], unconcerned)
    for name, run, suite in _trained(found):
        own = _without(suite, unconcerned)
        images = same_images(own, chosen)
        if not images and _may_meet(own, chosen) and not _has_images_of(config, run, registry):
            reporter.warned(
                f"{name} was trained with other settings ({images}): sets that are measured "
                "may hold images that it was trained on"
            )


def _trained(found: Sequence[ModelRef]) -> Iterator[tuple[str, RunDirectory, dict[str, Any]]]:
    """Give the name, the run and its suite of each model whose run is known."""
    for model in found:
        run = model.trained_by
        if run is not None:
            yield model.text, run, run.read_config().get("suite", {})


def _has_images_of(config: RunConfig, run: RunDirectory, registry: Registry) -> bool:
    """Tell whether a run's own suite gives the sets to measure on that `config` does.

    They are compared at the run's seed. A suite that cannot be opened any more gives none.
    """
    if run.read_config().get("suite", {}).get("use") != config.suite.name:
        return False
    seed = run.read_seed()
    try:
        own = resolve(registry, run_layers(run.config)).suite.strategy
        return measured_images(own, seed) == measured_images(config.suite.strategy, seed)
    except CfftError:
        return False


def _may_meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether a folder of one suite is, holds or lies in one of the other.

    Without any folders the same suite has the same data.
    """
    places, others = _folders(one), _folders(other)
    if not places and not others:
        return bool(one.get("use") == other.get("use"))
    return any(a.is_relative_to(b) or b.is_relative_to(a) for a in places for b in others)


def _folders(suite: Mapping[str, Any]) -> list[Path]:
    paths = [Path(value) for value in suite.values() if isinstance(value, str)]
    return [path for path in paths if path.is_absolute() and path.is_dir()]


def _without(suite: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in suite.items() if name not in names}


def warn_of_training_images(
    found: Sequence[ModelRef], asked: int | None, config: RunConfig, reporter: Reporter
) -> None:
    """Warn of every model whose ID test set may hold its own training images.

    `asked`: the seed that the user says, None where each model has the test set of its own.
    `config`: whose seed the others have. Raises DataError for a suite that cannot be opened.
    """
    stored = [model for model in found if model.path is not None]
    if asked is not None:
        warnings = [line for model in stored for line in _of_other_seeds(model, asked)]
    else:
        without = [model for model in stored if model.seed is None]
        draws = bool(without) and draws_test_set(config.suite.strategy, config.seed)
        warnings = [_of_no_seed(model, config.seed) for model in without if draws]
    for warning in warnings:
        reporter.warned(warning)


def _of_other_seeds(model: ModelRef, asked: int) -> Iterator[str]:
    for seed in model.seeds:
        if seed != asked:
            own = "; without --seed it is measured on its own" if model.seed is not None else ""
            yield (
                f"{model.text} was trained with seed {seed}: a test set drawn with seed {asked} "
                f"may hold images that it was trained on{own}"
            )


def _of_no_seed(model: ModelRef, drawn: int) -> str:
    risk = f"the test set, drawn with seed {drawn}, may hold images that it was trained on"
    if model.seeds:
        seeds = ", ".join(map(str, model.seeds))
        return f"{model.text} was trained with several seeds ({seeds}): {risk}"
    return (
        f"{model.text} does not say which seed it was trained with: {risk}; if it was trained with "
        "this suite, give --seed with the seed of its run"
    )
