"""Which runs may have been trained on what they are measured on, by the settings of their suites.

What seeds have to do with it is told in `seeds.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cfft.config import RunConfig, resolve
from cfft.evaluation.finding import Found, run_layers
from cfft.layers import Layer
from cfft.progress import Reporter
from cfft.registry import Registry
from cfft.results import RunDirectory, check_agree, differences


def check_one_suite(
    found: Sequence[Found], asked: Layer, config: RunConfig, registry: Registry
) -> None:
    """Raise ConfigError for runs whose suites differ, where `asked` does not say which is meant.

    `config`: which one would be measured. What `asked` settles for all may differ.
    """
    if "suite" in asked.chosen:
        return
    full = (values for (kind, _), values in asked.values.items() if kind == "suite")
    settled = set(asked.short).union(*full)
    configs = {
        model.text: {"suite": _without(suite, settled)}
        for model, suite in _trained(found, config, registry)
    }
    remedy = "say with --suite and its parameters which pictures are meant, or measure them apart"
    check_agree(configs, "suite", remedy)


def warn_of_other_settings(
    found: Sequence[Found], config: RunConfig, registry: Registry, reporter: Reporter
) -> None:
    """Warn of each run that was trained on the chosen data with other settings than the chosen.

    `config`: what is measured. Another domain `id`, say, makes training pictures OOD ones.
    """
    unconcerned = set(getattr(config.suite.strategy, "only_measured", ()))
    chosen = _without(config.to_dict()["suite"], unconcerned)
    for model, suite in _trained(found, config, registry):
        own = _without(suite, unconcerned)
        changed = "; ".join(differences(own, chosen, "suite"))
        if changed and _may_meet(own, chosen):
            reporter.warned(
                f"{model.text} was trained with other settings ({changed}): sets that are measured "
                "may hold pictures that it was trained on"
            )


def _trained(
    found: Sequence[Found], config: RunConfig, registry: Registry
) -> Iterator[tuple[Found, Mapping[str, Any]]]:
    """Give each model whose run is known, and the settings of the suite that it was trained on."""
    for model in found:
        if model.trained_by is not None:
            yield model, _suite(model.trained_by, config, registry)


def _suite(run: RunDirectory, config: RunConfig, registry: Registry) -> Mapping[str, Any]:
    """Return a run's settings; a suite that was not chosen need not be installed any more."""
    layers = run_layers(run.config)
    stored: Mapping[str, Any] = run.read_config().get("suite", {})
    if stored.get("use") == config.suite.name:
        stored = resolve(registry, layers).to_dict()["suite"]
    return stored


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
    return [path for path in paths if path.is_absolute()]


def _without(suite: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in suite.items() if name not in names}
