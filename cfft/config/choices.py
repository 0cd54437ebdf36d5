"""Strategies that a run uses: the first pass over the layers of its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from cfft.config.layers import COMMAND_LINE, LISTS, Choice, Layer, joined
from cfft.config.shorthand import Shorthand
from cfft.errors import Problems, unknown_name
from cfft.plugin.registry import Registry
from cfft.step.interfaces import AuxLoss
from cfft.step.needs import needs_of

_COUNTERFACTUAL = {"student.counterfactual", "teacher.counterfactual"}
_COUNTERFACTUAL_KINDS = ("mask", "fill", "cam")


@attrs.frozen
class Choices:
    """Hold the strategies of each kind that a run uses.

    `picks`: none of the `idle` kinds, whose results no loss looks at.
    """

    picks: Mapping[str, tuple[Choice, ...]]
    idle: Sequence[str] = ()

    @property
    def context(self) -> Mapping[str, str]:
        """Return the first name of each kind, which defaults depend on."""
        return {kind: picks[0].use for kind, picks in self.picks.items() if picks}

    def labels(self, kind: str) -> list[str]:
        """List the labels of the strategies of a kind."""
        return [pick.label for pick in self.picks.get(kind, ())]


def choose(registry: Registry, layers: Sequence[Layer], problems: Problems) -> Choices:
    """Choose the strategies of a run, and note what is wrong with what layers choose.

    Losses are made for it: their parameters say which teachers and other kinds they look at.
    """
    listed = Choices(_listed(registry, layers))
    losses = strategies(registry, layers, listed, "loss", problems)
    idle = () if _use_counterfactuals(listed, losses) else _COUNTERFACTUAL_KINDS
    picks = {kind: picks for kind, picks in listed.picks.items() if kind not in idle}
    teachers = _unlisted_teachers(registry, listed, losses)
    picks["teacher"] = (*picks.get("teacher", ()), *teachers)
    choices = Choices(picks, idle)
    problems += _surplus(layers, idle, losses)
    _check(registry, layers, choices, problems)
    return choices


def strategies(
    registry: Registry,
    layers: Sequence[Layer],
    choices: Choices,
    kind: str,
    problems: Problems,
) -> dict[Choice, Any]:
    """Make the chosen strategies of a kind, and note what is wrong with their parameters."""
    made: dict[Choice, Any] = {}
    for pick in choices.picks.get(kind, ()):
        if pick.use in registry.names(kind):
            values, sources = joined(_said(registry, layers, choices, kind, pick.label))
            with problems.noted():
                made[pick] = registry.build(kind, pick.use, values, choices.context, sources)
    if kind not in (*LISTS, *choices.idle) and not choices.picks.get(kind):
        names = ", ".join(registry.names(kind)) or "none"
        problems.append(f"no {kind} is chosen: give --{kind} NAME; installed: {names}")
    return made


def only_strategy(registry: Registry, layer: Layer, kind: str) -> Any:
    """Make the strategy of a kind that one layer chooses; raises ConfigError with every problem."""
    choices, problems = Choices(layer.chosen), Problems()
    made = strategies(registry, [layer], choices, kind, problems)
    _check(registry, [layer], choices, problems)
    problems.check()
    return made.popitem()[1]


def followed(loss: Any) -> str:
    """Return the label of the teacher that a loss follows, empty where it names none."""
    return AuxLoss.of(loss).teacher or ""


def _said(
    registry: Registry, layers: Sequence[Layer], choices: Choices, kind: str, label: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give what each layer says of a strategy with its source, short options above all others."""
    for layer in layers:
        yield layer.source, {**layer.loose.get(kind, {}), **layer.values.get((kind, label), {})}
    for layer in layers:
        short = Shorthand(registry, choices.picks, layer).values()
        yield layer.source, short.get((kind, label), {})


def _listed(registry: Registry, layers: Sequence[Layer]) -> dict[str, tuple[Choice, ...]]:
    merged: dict[str, tuple[Choice, ...]] = {}
    usual = next((layer.chosen["backbone"] for layer in layers if "backbone" in layer.chosen), ())
    model = ""
    for layer in layers:
        if "name" in layer.settings.get("model", {}):
            model = layer.settings["model"]["name"]
            merged["backbone"] = _backbone_of(registry, model) or usual
        merged.update(layer.chosen)
    return {**merged, "backbone": _backbone_of(registry, model) or merged.get("backbone", ())}


def _backbone_of(registry: Registry, model: Any) -> tuple[Choice, ...]:
    prefix, colon, _ = str(model).partition(":")
    return (Choice(prefix, prefix),) if colon and prefix in registry.names("backbone") else ()


def _use_counterfactuals(choices: Choices, losses: Mapping[Choice, Any]) -> bool:
    """Tell whether a loss looks at counterfactual images; one that cannot be made may."""
    needed = (needs_of(pick.label, loss) for pick, loss in losses.items())
    lacking = len(losses) < len(choices.labels("loss"))
    return lacking or any(map(_COUNTERFACTUAL.intersection, needed))


def _unlisted_teachers(
    registry: Registry, choices: Choices, losses: Mapping[Choice, Any]
) -> Iterator[Choice]:
    """Give the teachers that losses follow and that nobody listed."""
    for name in dict.fromkeys(map(followed, losses.values())):
        if name not in choices.labels("teacher") and name in registry.names("teacher"):
            yield Choice(name, name)


def _surplus(
    layers: Sequence[Layer], idle: Sequence[str], losses: Mapping[Choice, Any]
) -> Iterator[str]:
    """Refuse idle kinds that a command line asks for."""
    own = [layer for layer in layers if layer.source == COMMAND_LINE]
    names = ", ".join(pick.use for pick in losses) or "none"
    for kind in idle:
        if any(kind in layer.chosen for layer in own):
            yield (
                f"--{kind} was given, but no loss looks at counterfactual images "
                f"(losses: {names}): add such a --loss or leave --{kind} out"
            )


def _check(
    registry: Registry, layers: Sequence[Layer], choices: Choices, problems: Problems
) -> None:
    """Note strategies that are not installed, and values that belong to nothing chosen."""
    for kind, pick in ((kind, pick) for kind, picks in choices.picks.items() for pick in picks):
        sources = [layer.source for layer in layers if pick in layer.chosen.get(kind, ())]
        known = sources and sources[-1] != COMMAND_LINE
        with problems.noted(f"{sources[-1]}: " if known else ""):
            registry.find(kind, pick.use)
    problems += _misplaced(registry, layers, choices)
    for layer in layers:
        problems += Shorthand(registry, choices.picks, layer).problems()


def _misplaced(registry: Registry, layers: Sequence[Layer], choices: Choices) -> Iterator[str]:
    """Refuse values for strategies that do not exist, or that a command line leaves idle."""
    for source, kind, label in ((layer.source, *key) for layer in layers for key in layer.values):
        known = {pick.label for each in layers for pick in each.chosen.get(kind, ())}
        names = {*known, *registry.names(kind)}
        chosen = choices.labels(kind)
        if label not in names and (kind not in choices.idle or source == COMMAND_LINE):
            yield f"{source}: {unknown_name(kind, label, names, 'installed')}"
        elif label in names and label not in chosen and source == COMMAND_LINE:
            yield (
                f"--{kind}.{label}: {kind} '{label}' is not chosen "
                f"(chosen: {', '.join(chosen) or 'none'}): "
                f"choose {label} or leave its parameters out"
            )
