"""Teachers that maps and masks look at, for those who measure or draw them without training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cfft.config.run_config import RunConfig
from cfft.model.rebuild import TeacherSource
from cfft.runtime.progress import Reporter
from cfft.step.interfaces import Cam
from cfft.step.passes import FrozenTeacher
from cfft.training.starting_model import starting_model

if TYPE_CHECKING:
    from accelerate import Accelerator

_NOTHING: frozenset[str] = frozenset()


def followed_teachers(
    configs: Sequence[RunConfig],
    classes: tuple[str, ...],
    accelerator: Accelerator,
    reporter: Reporter,
) -> dict[str, FrozenTeacher]:
    """Load the teachers that masks and maps of configurations follow, by label.

    `configs` are alike but for mask, fill and map; `classes`: those of the images, by index. Raises
    what `starting_model` and teachers raise.
    """
    views = [view for config in configs for view in config.all_views()]
    looking = [each for view in views for each in (view.mask, view.cam) if each is not None]
    followed = {Cam.of(each.strategy).follows for each in looking}  # a mask has the same default
    chosen = {each.label: each for config in configs for each in config.teachers}
    labels = [label for label in chosen if label in followed]
    if not labels:
        return {}
    start = starting_model(configs[0], classes, accelerator, reporter)
    source = TeacherSource(start.classifier, start.description)
    teachers = {label: chosen[label].strategy.load(source) for label in labels}
    for line in source.warnings:
        reporter.warned(line)
    return {
        label: FrozenTeacher(model.to(accelerator.device), _NOTHING, _NOTHING)
        for label, model in teachers.items()
    }
