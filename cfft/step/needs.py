"""Forward passes that the terms of a run's objective need, known before training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cfft.errors import ConfigError, PluginError, unknown_name
from cfft.step.interfaces import (
    NEEDS,
    ORIGINAL,
    RESERVED_LABELS,
    TEXT_NEEDS,
    AuxLoss,
    Cam,
    MaskSelector,
    Task,
    Term,
)

_VIEWS = frozenset({"student.view", "teacher.view"})
TEXT = "text"
"""The passes of text towers, among those that terms share."""


def task_and_losses(task: Task, losses: Mapping[str, AuxLoss]) -> dict[str, Term]:
    """Name every term of the objective."""
    return {Task.of(task).term: Task.of(task), **{k: AuxLoss.of(v) for k, v in losses.items()}}


def needs_of(label: str, term: Term) -> frozenset[str]:
    """Return what one term looks at; raises PluginError for names that do not exist."""
    needs = frozenset(AuxLoss.of(term).needs)
    for surplus in sorted(needs - NEEDS):
        raise PluginError(f"term '{label}': {unknown_name('need', surplus, NEEDS)}")
    return needs


def all_needs(terms: Mapping[str, Term]) -> frozenset[str]:
    """Join what terms, keyed by label, look at."""
    return frozenset[str]().union(*(needs_of(label, term) for label, term in terms.items()))


def followed_views(terms: Mapping[str, Term]) -> frozenset[str]:
    """Return the labels of the views that terms look at, the original images among them."""
    return frozenset[str]().union(
        *(views_of(term) for label, term in terms.items() if needs_of(label, term) & _VIEWS)
    )


def views_of(term: Term) -> frozenset[str]:
    """Return the labels of the views that one term looks at."""
    completed = Term.of(term)
    return frozenset({completed.view, *completed.further_views})


def followed_by_map(strategy: MaskSelector | Cam) -> str | None:
    """Return the label of the teacher that a map or a mask looks at, or None."""
    return Cam.of(strategy).follows  # a mask has the same default


def student_views(terms: Mapping[str, Term]) -> frozenset[str]:
    """Return the labels of the views that the student has to see."""
    return frozenset[str]().union(
        *(views_of(term) for k, term in terms.items() if "student.view" in needs_of(k, term))
    )


def student_passes(terms: Mapping[str, Term], task: str) -> dict[str, frozenset[str]]:
    """Return the student's passes that each term sends gradients into, by the label of the view.

    `task`: the name of the task among the terms. The passes of text towers count as one, TEXT:
    terms share their features and their draws.
    """
    return {label: _passes(label, term, is_task=label == task) for label, term in terms.items()}


def _passes(label: str, term: Term, *, is_task: bool) -> frozenset[str]:
    needs = needs_of(label, term)
    seen = views_of(term) if "student.view" in needs else frozenset[str]()
    original = {ORIGINAL} if is_task or "student.original" in needs or not seen else set[str]()
    text = {TEXT} if needs & TEXT_NEEDS else set[str]()
    return seen | original | text


def connected(passes: Mapping[str, frozenset[str]]) -> list[tuple[str, ...]]:
    """Group labels that share a pass, directly or through others; the original images come first.

    Within a group labels keep their order, and so do groups, by their first labels.
    """
    groups: list[tuple[frozenset[str], tuple[str, ...]]] = []
    for label, own in passes.items():
        touched = [group for group in groups if group[0] & own]
        joined = (own.union(*(each for each, _ in touched)), _labels(touched, label))
        groups = [group for group in groups if group not in touched] + [joined]
    order = {label: place for place, label in enumerate(passes)}
    by_order = [(each, tuple(sorted(labels, key=order.__getitem__))) for each, labels in groups]
    by_order.sort(key=lambda group: (ORIGINAL not in group[0], order[group[1][0]]))
    return [labels for _, labels in by_order]


def _labels(groups: Iterable[tuple[frozenset[str], tuple[str, ...]]], own: str) -> tuple[str, ...]:
    return (*(label for _, labels in groups for label in labels), own)


def teacher_needs(teacher: str, terms: Mapping[str, Term]) -> frozenset[str]:
    """Join what terms look at in one teacher; one that names no teacher looks at each."""
    return all_needs(_followers(teacher, terms))


def teacher_views(teacher: str, terms: Mapping[str, Term]) -> frozenset[str]:
    """Return the labels of the views that one teacher has to see."""
    own = _followers(teacher, terms)
    views = (views_of(t) for label, t in own.items() if "teacher.view" in needs_of(label, t))
    original = {ORIGINAL} if "teacher.original" in all_needs(own) else set[str]()
    return frozenset(original).union(*views)


def _followers(teacher: str, terms: Mapping[str, Term]) -> dict[str, Term]:
    return {k: term for k, term in terms.items() if Term.of(term).teacher in (None, teacher)}


def check_losses(losses: Mapping[str, AuxLoss], task: Task, teachers: Iterable[str]) -> None:
    """Raise ConfigError where a term follows a teacher that is absent or has a reserved label.

    Raises PluginError for a loss without a weight.
    """
    labels = set(teachers)
    taken = {*RESERVED_LABELS, Task.of(task).term}
    for label, loss in losses.items():
        if not hasattr(loss, "weight"):
            raise PluginError(
                f"loss '{label}' has no weight: declare weight: float = cfft.param(1.0, help=...)"
            )
        if label in taken:
            raise ConfigError(f"no loss can be labelled '{label}': the name is reserved")
    for label, term in task_and_losses(task, losses).items():
        followed = term.teacher
        looks = label in losses or _looks_at_a_teacher(label, term)
        if followed is not None and followed not in labels and looks:
            kind = "task" if label not in losses else f"loss '{label}'"
            raise ConfigError(f"{kind}: {unknown_name('teacher', followed, labels, 'chosen')}")


def _looks_at_a_teacher(label: str, term: Term) -> bool:
    own = needs_of(label, term) - {"teacher.text"}  # that is the pre-trained model's
    return any(need.startswith("teacher.") for need in own)
