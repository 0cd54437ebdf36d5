"""Contradictions between the strategies that a configuration chooses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cfft.config.choices import Choices, followed_teacher
from cfft.config.layers import LISTS, Choice
from cfft.errors import unknown_name
from cfft.plugin.params import NAME
from cfft.plugin.registry import Registry
from cfft.step.interfaces import RESERVED_LABELS, Task, Teacher
from cfft.step.needs import needs_of


def bad_labels(choices: Choices) -> Iterator[str]:
    for kind in LISTS:
        for label in choices.labels(kind):
            if not re.fullmatch(NAME, label) or (kind == "loss" and label in RESERVED_LABELS):
                yield (
                    f"no {kind} can be labelled '{label}': labels are letters, digits, - and "
                    f"_, other than {', '.join(sorted(RESERVED_LABELS))}"
                )


def bad_teachers(
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


def bad_averages(teachers: Mapping[Choice, Any], averages: Mapping[Choice, Any]) -> Iterator[str]:
    """Refuse teachers that follow an average that nobody chose."""
    for pick, teacher in teachers.items():
        if Teacher.of(teacher).follows_average and not averages:
            yield (
                f"teacher '{pick.label}' follows an average of the student's weights, and none is "
                "chosen: give --average NAME"
            )


def repeated_images(sampling: str, tasks: Mapping[Choice, Any]) -> Iterator[str]:
    """Refuse batches with an image twice for a task that tells the images of a batch apart."""
    for pick, task in tasks.items():
        if sampling == "balanced" and Task.of(task).compares_images:
            yield (
                f"--sampling balanced (training.sampling) repeats images of small classes, and "
                f"task '{pick.use}' tells the images of a batch from one another: leave it out, or "
                "choose another --task"
            )


def nothing_learnt(choices: Choices, tasks: Mapping[Choice, Any]) -> Iterator[str]:
    if choices.labels("loss") or any(Task.of(task).weight > 0 for task in tasks.values()):
        return
    if tasks:
        yield f"nothing is learnt: task '{next(iter(tasks)).use}' has no weight, and no --loss"
