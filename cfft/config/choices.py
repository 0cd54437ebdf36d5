"""Strategies that a run uses: the first pass over the layers of its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from cfft.config.layers import (
    COMMAND_LINE,
    LISTS,
    VIEW_KINDS,
    Choice,
    Layer,
    ViewTable,
    joined,
)
from cfft.config.shorthand import Shorthand
from cfft.config.views import listed_views, made_views, view_problems
from cfft.errors import Problems, unknown_name
from cfft.plugin.kinds import OPTIONAL
from cfft.plugin.registry import Registry
from cfft.step.interfaces import COUNTERFACTUAL, ORIGINAL, AuxLoss, Task, Term
from cfft.step.needs import followed_by_map, followed_views

_TERMS = ("task", "loss")


@attrs.frozen
class Choices:
    """Hold the strategies of each kind that a run uses.

    `picks`: none of the `idle` kinds, whose results no term of the objective looks at. `views`: the
    further views that some term looks at.
    """

    picks: Mapping[str, tuple[Choice, ...]]
    idle: Sequence[str] = ()
    views: Sequence[ViewTable] = ()

    @property
    def context(self) -> Mapping[str, str]:
        """Return the first name of each kind, which defaults depend on."""
        return {kind: picks[0].use for kind, picks in self.picks.items() if picks}

    def labels(self, kind: str) -> list[str]:
        """List the labels of the strategies of a kind."""
        return [pick.label for pick in self.picks.get(kind, ())]


def choose(registry: Registry, layers: Sequence[Layer], problems: Problems) -> Choices:
    """Choose the strategies of a run, and note what is wrong with what layers choose.

    Task and losses are made for it: their parameters say which teachers, views and other kinds they
    look at; and masks and maps, which may look at teachers.
    """
    listed = Choices(_listed(registry, layers))
    terms = _terms(registry, layers, listed, problems)
    lacking = len(terms) < sum(len(listed.labels(kind)) for kind in _TERMS)
    followed = followed_views({pick.label: term for pick, term in terms.items()})
    idle = () if lacking or COUNTERFACTUAL in followed else VIEW_KINDS
    picks = {kind: picks for kind, picks in listed.picks.items() if kind not in idle}
    views = _views(layers, followed, lacking, problems)
    choices = Choices(picks, idle, views)
    teachers = [*map(followed_teacher, terms.values()), *_followed(registry, layers, choices)]
    picks["teacher"] = (*picks.get("teacher", ()), *_unlisted(registry, listed, teachers))
    problems += _surplus(layers, idle, [pick for pick in terms if pick in listed.picks["loss"]])
    _check(registry, layers, choices, problems)
    return choices


def _terms(
    registry: Registry, layers: Sequence[Layer], listed: Choices, problems: Problems
) -> dict[Choice, Term]:
    """Make the task and the losses."""
    bases = ((Task, "task"), (AuxLoss, "loss"))
    return {
        pick: base.of(made)
        for base, kind in bases
        for pick, made in strategies(registry, layers, listed, kind, problems).items()
    }


def _views(
    layers: Sequence[Layer], followed: frozenset[str], lacking: bool, problems: Problems
) -> list[ViewTable]:
    """Return the further views that terms look at; refuse those that nothing looks at."""
    tables, replaced = listed_views(layers)
    problems += view_problems(layers, tables)
    known = {table.label for table in tables} | {ORIGINAL, COUNTERFACTUAL}
    for label in sorted(followed - known):
        problems.append(unknown_name("view", label, known, "in the configuration"))
    for table in tables:
        if not (table.label in followed or lacking or replaced):
            problems.append(
                f"view '{table.label}' is not followed by any loss: give one view = "
                f'"{table.label}", or leave the view out'
            )
    return [table for table in tables if table.label in followed]


def _followed(registry: Registry, layers: Sequence[Layer], choices: Choices) -> Iterator[str]:
    """Give the labels of teachers that masks and maps follow; problems are noted later."""
    ignored = Problems()
    views = made_views(registry, layers, choices.views, choices.context, ignored)
    for kind in (kind for kind in ("mask", "cam") if kind not in choices.idle or views):
        main = {} if kind in choices.idle else strategies(registry, layers, choices, kind, ignored)
        further = [view.strategies[kind] for view in views if kind in view.strategies]
        for strategy in (*main.values(), *further):
            yield followed_by_map(strategy) or ""


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
            said = [
                *_inherited(layers, kind, pick),
                *_said(registry, layers, choices, kind, pick.label),
            ]
            values, sources = joined(said)
            with problems.noted():
                made[pick] = registry.build(kind, pick.use, values, choices.context, sources)
    if kind not in (*LISTS, *OPTIONAL, *choices.idle) and not choices.picks.get(kind):
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


def followed_teacher(term: Any) -> str:
    """Return the label of the teacher that a task or loss follows, empty where it names none."""
    return AuxLoss.of(term).teacher or ""


def _inherited(
    layers: Sequence[Layer], kind: str, pick: Choice
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give what the layers below the one that lists a labelled strategy say of it by its name."""
    if pick.label == pick.use:
        return
    listing = [place for place, layer in enumerate(layers) if pick in layer.chosen.get(kind, ())]
    for layer in layers[: max(listing, default=0)]:
        yield layer.source, layer.values.get((kind, pick.use), {})


def _said(
    registry: Registry, layers: Sequence[Layer], choices: Choices, kind: str, label: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give what each layer says of a strategy with its source, short options above all others."""
    for layer in layers:
        yield layer.source, {**layer.loose.get(kind, {}), **layer.values.get((kind, label), {})}
    for layer in layers:
        short = Shorthand(registry, choices.picks, layer, choices.views).values()
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


def _unlisted(registry: Registry, choices: Choices, followed: Sequence[str]) -> Iterator[Choice]:
    """Give the teachers that are followed and that nobody listed."""
    for name in dict.fromkeys(followed):
        if name not in choices.labels("teacher") and name in registry.names("teacher"):
            yield Choice(name, name)


def _surplus(
    layers: Sequence[Layer], idle: Sequence[str], losses: Sequence[Choice]
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
        problems += Shorthand(registry, choices.picks, layer, choices.views).problems()


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
