"""The verdict of a report: what was gained and lost, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from cfft.errors import counted, shortened_list
from cfft.report.changes import Change, Standing, best_first, change, standings, start_of
from cfft.report.next_steps import Situation, next_steps
from cfft.report.sources.records import AVERAGE
from cfft.report.summary import Summary

_IMAGES_NOT_SEEDS = "Intervals are for the choice of images, not for that of seeds."
_CHOSEN = (
    "The best of several is chosen by the images that it is measured on, so its lead is flattered, "
    "and each interval stands for itself."
)


@attrs.frozen(eq=False)
class Verdict:
    """Hold what a report says first.

    `sentences`: what was gained and lost. `steps`: what to do next, two at most. `notes`: how to
    read the intervals. `standings`: each configuration against its start, the best OOD first.
    `level`: the names of those that cannot be told from the first one.
    """

    sentences: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    standings: tuple[Standing, ...] = ()
    level: tuple[str, ...] = ()


def verdict(summary: Summary) -> Verdict:
    """Judge the configurations of a report by what they gained and lost; empty without any."""
    found = standings(summary)
    target = AVERAGE if any(_has_ood(summary, each) for each in found) else summary.id_set
    ranked = best_first(summary, found, target)
    if not ranked:
        return Verdict()
    leader = ranked[0][0]
    level = tuple(each.name for each, gap in ranked[1:] if gap is not None and gap.is_open)
    others = list(_others(summary, ranked, target)) if len(ranked) > 1 else []
    sentences = (_first(summary, leader, target, len(ranked)), *others)
    changes = [c for each, gap in ranked for c in (each.id, each.ood, gap) if c is not None]
    notes = (
        *([_IMAGES_NOT_SEEDS] if any(c.ci95 for c in changes) else []),
        *([_CHOSEN] if len(ranked) > 1 else []),
    )
    ordered = tuple(each for each, _ in ranked)
    steps = tuple(next_steps(_situation(summary, leader, level)))
    return Verdict(sentences, steps, notes, ordered, level)


def _has_ood(summary: Summary, standing: Standing) -> bool:
    return summary.spread(standing.group, AVERAGE) is not None


def _first(summary: Summary, leader: Standing, target: str, count: int) -> str:
    """Say what the best configuration gained and lost."""
    seeds = f" (mean of {leader.seeds} seeds)" if leader.seeds > 1 else ""
    name = f"{leader.name}{seeds}"
    gained = _gains(summary, leader)
    if count == 1:
        return f"{name} {gained}."
    return f"Of {count} configurations {name} is best {_place(summary, target)}: it {gained}."


def _gains(summary: Summary, leader: Standing) -> str:
    changes = [
        (found, _place(summary, name))
        for found, name in ((leader.id, summary.id_set), (leader.ood, AVERAGE))
        if found is not None
    ]
    if not changes:
        spreads = [(n, summary.spread(leader.group, n)) for n in (summary.id_set, AVERAGE)]
        known = [f"{_percent(s.mean)} {_place(summary, n)}" for n, s in spreads if s is not None]
        said = " and ".join(known)
        return f"has {said}; no model before fine-tuning is here to compare it with"
    said = " and ".join(_gained(*each) for each in changes)
    unpaired = "" if all(found.ci95 for found, _ in changes) else _why_unpaired(changes)
    return f"{said}, compared with the model before fine-tuning{unpaired}"


def _gained(found: Change, where: str) -> str:
    moved = f"{abs(100 * found.difference):.1f} points"
    after = f"to {_percent(found.after)}"
    if found.ci95 is None:
        verb = "rose by" if found.difference >= 0 else "fell by"
        return f"{verb} {moved} {where}, {after}"
    if found.is_open:
        moved = f"{_points(found.difference)} points"
        return f"moved by {moved} {where}, {after}, within its interval ({_interval(found)})"
    verb = "gained" if found.is_gain else "lost"
    return f"{verb} {moved} {where}, {after} (95 % interval {_interval(found)})"


def _why_unpaired(changes: Sequence[tuple[Change, str]]) -> str:
    without = [where for found, where in changes if found.ci95 is None]
    where = "" if len(without) == len(changes) else f" {' and '.join(without)}"
    return f"; no interval{where}, as no predictions of the same images are stored"


def _others(
    summary: Summary, ranked: Sequence[tuple[Standing, Change | None]], target: str
) -> Iterator[str]:
    """Say which configurations are as good OOD, and which one is best in distribution."""
    others = ranked[1:]
    level = [each.name for each, gap in others if gap is not None and gap.is_open]
    unknown = [each.name for each, gap in others if gap is None or gap.ci95 is None]
    if level:
        yield (
            f"{shortened_list(level)} cannot be told from it there: the paired intervals of the "
            "differences hold zero."
        )
    elif len(unknown) < len(others):
        (second, gap) = next((e, g) for e, g in others if g is not None and g.ci95 is not None)
        if gap is not None:
            yield (
                f"The next one, {second.name}, is {abs(100 * gap.difference):.1f} points lower "
                f"(95 % interval {_interval(gap)})."
            )
    if unknown:
        yield (
            f"{counted(len(unknown), 'configuration')} cannot be compared with it image by image, "
            "for want of stored predictions of the same images."
        )
    yield from _best_id(summary, [each for each, _ in ranked], target)


def _best_id(summary: Summary, ordered: Sequence[Standing], target: str) -> Iterator[str]:
    if target == summary.id_set:
        return
    leader, first = ordered[0], best_first(summary, ordered, summary.id_set)[0][0]
    if first is leader:
        yield f"It is also the best {_place(summary, summary.id_set)}."
        return
    gap = change(summary, leader.group.models, first.group.models, summary.id_set)
    away = change(summary, leader.group.models, first.group.models, AVERAGE)
    if gap is not None and away is not None:
        best = "is highest but cannot be told from it" if gap.is_open else "is best"
        yield (
            f"In distribution ({summary.id_set}) {first.name} {best}, {_apart(gap)}, and "
            f"{_apart(away)} {_place(summary, AVERAGE)}."
        )


def _apart(gap: Change) -> str:
    said = f"{_points(gap.difference)} points"
    return said if gap.ci95 is None else f"{said} ({_interval(gap)})"


def _place(summary: Summary, name: str) -> str:
    return f"in distribution ({name})" if name == summary.id_set else "on the OOD average"


def _situation(summary: Summary, leader: Standing, level: tuple[str, ...]) -> Situation:
    model = leader.group.models[0]
    runs = [run for run in summary.material.runs if run.group == leader.group.configuration]
    start, entry = start_of(summary, model), model.sets.get(summary.id_set)
    return Situation(
        name=leader.name,
        id_set=summary.id_set,
        id=leader.id,
        ood=leader.ood,
        seeds=tuple(run.seed for run in runs if run.seed is not None),
        config=runs[0].config if runs else {},
        level=level,
        start=None if start is None else summary.value(start, summary.id_set),
        classes=None if entry is None else entry.classes,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(difference: float) -> str:
    return f"{100 * difference:+z.1f}"


def _interval(found: Change) -> str:
    return "" if found.ci95 is None else " to ".join(map(_points, found.ci95))
