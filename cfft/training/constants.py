"""What a run computes once, and what one of its steps costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from cfft.config.run_config import RunConfig
from cfft.step.constants import Constants, TeacherView, find_constants, hides_nothing
from cfft.step.interfaces import ORIGINAL, AuxLoss, Cam, Refiller, Teacher, Term
from cfft.step.needs import (
    followed_by_map,
    followed_views,
    student_views,
    task_and_losses,
    teacher_views,
)
from cfft.training.coverage import declared_share
from cfft.training.prepare import Prepared, view_of

VANILLA = 3.0
"""Forward passes of the image tower that fine-tuning costs: one, and a backward pass of two."""

_GIB = 2**30
_MAP_BYTES, _FEATURE_BYTES = 2, 4


def run_constants(config: RunConfig, prepared: Prepared) -> Constants:
    """Find what a run computes once; what it refuses to keep is among `changing`."""
    terms, views = _terms(config), {view.label: view_of(view) for view in config.all_views()}
    teachers = {each.label: Teacher.of(each.strategy) for each in config.teachers}
    averaged = [label for label, teacher in teachers.items() if teacher.follows_average]
    found = find_constants(terms, views, teachers, averaged, _patches(prepared))
    reason = _reason_against(config, prepared, found)
    return found if reason is None else found.refused(reason)


def _reason_against(config: RunConfig, prepared: Prepared, found: Constants) -> str | None:
    training = config.training
    if prepared.augmentation is not None:
        return f"--augment {training.augment} changes the image each time"
    if training.epochs < 2:
        return "each image comes once"
    needed = constants_bytes(prepared, found) / _GIB
    if needed <= training.keep_gib:
        return None
    return f"it would need {needed:.2g} GiB, and --keep-gib allows {training.keep_gib:g}"


def constants_bytes(prepared: Prepared, constants: Constants) -> int:
    """Return how many bytes what is computed once takes, on disk as long as a run trains."""
    maps = len(constants.maps) * _patches(prepared) * _MAP_BYTES
    features = len(constants.features) * prepared.pretrained.encoder.dim * _FEATURE_BYTES
    return len(prepared.sets.train) * (maps + features)


@attrs.frozen
class StepCost:
    """Hold forward passes of the image tower per training image, F, that a step needs.

    A pass forward and backward is 3, a map of the student 1 more, one of a teacher 2, a teacher 1
    for each view; passes that drop tokens count by the share of patches that they keep. Text towers
    do not count, and every weight is taken to be trained. `at_most`: whether images keep fewer
    tokens than is known before training.
    """

    passes: float
    at_most: bool

    def __str__(self) -> str:
        return f"{'at most ' if self.at_most else ''}{self.passes:.3g} F"


def step_cost(config: RunConfig, prepared: Prepared, constants: Constants) -> StepCost:
    """Count what a step of a run needs, with what is computed once left out."""
    terms, patches = _terms(config), _patches(prepared)
    chosen = {view.label: view_of(view) for view in config.all_views()}
    views = {label: view for label, view in chosen.items() if label in followed_views(terms)}
    shares, unknown = {ORIGINAL: 1.0}, False
    for label, view in views.items():
        hidden = declared_share(view.mask, patches)
        drops = Refiller.of(view.fill).drops
        shares[label] = 1 - hidden if drops and hidden is not None else 1.0
        unknown |= drops and hidden is None
    same = {label for label, view in views.items() if hides_nothing(view.mask, patches)}
    again = config.training.checkpoint_activations
    maps = {view.cam for label, view in views.items() if view.cam and label not in same}
    of_student = [cam for cam in maps if followed_by_map(cam) is None]
    computed = [cam for cam in maps if followed_by_map(cam) and cam not in constants.maps]
    second = [shares[label] for label in student_views(terms) if label not in {ORIGINAL, *same}]
    passes = (VANILLA + again) * (1 + sum(second)) + len(of_student) + 2 * len(computed)
    passes += 2 * (again and bool(of_student))
    for teacher in (each.label for each in config.teachers):
        seen = {ORIGINAL if each in same else each for each in teacher_views(teacher, terms)}
        passes += sum(
            shares[each] for each in seen if TeacherView(teacher, each) not in constants.features
        )
    return StepCost(passes, unknown)


def cost_facts(config: RunConfig, prepared: Prepared) -> Iterator[tuple[str, str]]:
    """Say for the plan what is computed once, what is not, and what a step costs."""
    constants = run_constants(config, prepared)
    once, changing = spelled_constants(constants)
    if once:
        yield "computed once", once
    if changing:
        yield "computed each time", changing
    cost = step_cost(config, prepared, constants)
    of_vanilla = f"of vanilla fine-tuning {VANILLA:g} F (F: a forward pass for each image)"
    yield "cost of a step", f"{cost}, {of_vanilla}"


def cost_record(config: RunConfig, prepared: Prepared) -> dict[str, Any]:
    """Return the same for programs."""
    constants = run_constants(config, prepared)
    once, changing = spelled_constants(constants)
    cost = step_cost(config, prepared, constants)
    return {
        "cost": {**attrs.asdict(cost), "vanilla": VANILLA},
        "computed_once": once,
        "computed_each_time": changing,
    }


def spelled_constants(constants: Constants) -> tuple[str, str]:
    """Say what is computed once, and what is not with the reasons; empty where there is none."""
    once = "; ".join(map(_named, constants.items))
    changing = [f"{_named(each)}: {reason}" for each, reason in constants.changing.items()]
    return once, "; ".join(changing)


def _named(item: Cam | TeacherView) -> str:
    if isinstance(item, TeacherView):
        what = "original images" if item.view == ORIGINAL else f"view '{item.view}'"
        return f"features of teacher '{item.teacher}' on the {what}"
    return f"maps of teacher '{followed_by_map(item)}'"


def _terms(config: RunConfig) -> Mapping[str, Term]:
    losses: Mapping[str, AuxLoss] = {chosen.label: chosen.strategy for chosen in config.losses}
    return task_and_losses(config.task.strategy, losses)


def _patches(prepared: Prepared) -> int:
    gh, gw = prepared.pretrained.encoder.grid
    return gh * gw
