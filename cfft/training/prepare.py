"""Everything before training: open, check and build what a configuration names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from cfft.config.run_config import ChosenView, RunConfig
from cfft.data.augmentation import (
    NO_AUGMENTATION,
    Augmentation,
    make_augmentation,
    parse_augmentation,
)
from cfft.data.check import CheckedSuite, check_suite, stored
from cfft.data.consistency import every_set
from cfft.data.fingerprint import sets_fingerprint
from cfft.data.kept import KeptSets
from cfft.data.prepared.store import PreparedSets
from cfft.data.sets import limited, training_sets
from cfft.data.suite import ImageSet, SuiteSets
from cfft.data.transform import fitting
from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError, returned
from cfft.model.description import ModelDescription
from cfft.model.pretrained import Pretrained
from cfft.model.rebuild import TeacherSource, empty_classifier
from cfft.records import Preprocessing
from cfft.runtime.machine import memory
from cfft.runtime.processes import Processes
from cfft.runtime.processors import local_processes
from cfft.runtime.progress import Reporter
from cfft.scoring.evaluate import Reading
from cfft.step.engine import TrainingStep, View
from cfft.step.interfaces import ModelSource, Refiller, Teacher
from cfft.step.text import TextSide
from cfft.training.batches import BatchPlan, plan_batches
from cfft.training.parameters import frozen_names, named_parameters
from cfft.training.schedule import Steps, count_steps, parse_interval
from cfft.training.stages import StagedSource, StagePlaces
from cfft.training.starting_model import check_head, describe_start, pretrained_model
from cfft.training.text_towers import check_text_head, text_side

_MEMORY_SHARE = 4  # of the free memory one part is for images: models and batches come later
Skipped = tuple[Mapping[str, str], ...]
"""Records of unreadable images that were left out."""


@attrs.frozen(eq=False)
class Prepared:
    """Hold what a run is made of, checked; nothing expensive has happened yet.

    `skipped`: unreadable images that were left out. `description`: of the model that the run
    starts from and makes, with its kind of head and its prompts. `contents`: digests of the images
    by set, as in CheckedSuite. `warnings`: lines for the user about the weight files of teachers.
    `augmentation`: changes training images, None where nothing does. `frozen`: the names of
    parameters that each pattern of --freeze means. `kept`: the sets whose images stay in memory.
    `stored`: finds the prepared images of sets.
    """

    sets: SuiteSets
    skipped: Skipped
    contents: Mapping[str, str]
    batches: BatchPlan
    steps: Steps
    pretrained: Pretrained
    description: ModelDescription
    warnings: tuple[str, ...] = ()
    augmentation: Augmentation | None = None
    frozen: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    kept: KeptSets = attrs.field(factory=KeptSets)
    stored: PreparedSets = attrs.field(factory=PreparedSets)

    def reading(self, batch_size: int, workers: int | None, scratch: Path | None = None) -> Reading:
        """Return how images reach the model, from memory and prepared ones where they are there.

        `scratch`: as in Reading.
        """
        preprocessing = self.pretrained.preprocessing
        return Reading(preprocessing, batch_size, workers, self.kept, self.stored, scratch)

    @property
    def fingerprint(self) -> str:
        """Return a SHA-256 of all sets: their names, and their images' names and labels."""
        return sets_fingerprint(every_set(self.sets))

    @property
    def class_weights(self) -> Tensor:
        """Return weights that make all classes count alike: [K], see StepOutputs."""
        return balanced_weights(self.sets.train.labels, len(self.sets.classes))


@attrs.frozen(eq=False)
class CheckedImages:
    """Remember images that were decoded once, so that runs on the same images share that."""

    _found: dict[Any, CheckedSuite] = attrs.field(factory=dict)

    def readable(
        self, sets: SuiteSets, config: RunConfig, processes: Processes, reporter: Reporter
    ) -> CheckedSuite:
        """Decode every image, the one slow check; what is quick to find out comes before it."""
        key = (config.suite.strategy, config.images_seed, config.training.skip_unreadable)
        if key not in self._found:
            self._found[key] = _readable_sets(sets, config, processes, reporter)
        return self._found[key]


def prepare(
    config: RunConfig,
    processes: Processes,
    reporter: Reporter,
    places: StagePlaces | None = None,
    images: CheckedImages | None = None,
) -> Prepared:
    """Open the images, check that everything fits together and build the pre-trained model.

    `processes` share the decoding of the images; all return the same. `places`: where the models of
    stages lie. `images`: those that earlier calls have decoded.
    Raises ConfigError, DataError or WeightsError.
    """
    parse_interval(config.training.checkpoint_every)
    parse_augmentation(config.training.augment)
    seed = config.images_seed
    opened = training_sets(config.suite.strategy, seed)
    limit = config.training.limit_train
    _batches(config, limited(opened, limit, seed), processes.count)
    pretrained = pretrained_model(config)
    description = describe_start(config, pretrained, opened.classes, (seed,))
    check_head(pretrained, description)
    augmentation = augmentation_of(config, opened.train, pretrained.preprocessing)
    # teachers are loaded once with an empty head: their files may be missing or not fit
    empty = empty_classifier(pretrained, len(description.classes), description.normalised)
    text = text_side(config, pretrained, description.classes)
    check_text_head(config, description)
    frozen = frozen_names(config.training.freeze, named_parameters(empty, text))
    source = TeacherSource(empty, description)
    training_step(config, _with_stages(source, places), text=text)
    checked = images or CheckedImages()
    readable = checked.readable(opened, config, processes, reporter)
    sets = limited(readable.sets, limit, seed, config.training.limit_eval)
    batches = _batches(config, sets, processes.count)
    steps = count_steps(config.training, batches.steps_per_epoch)
    skipped = tuple(image.record() for image in readable.unreadable)
    told = tuple(source.warnings)
    stored_images, preprocessing = PreparedSets(), pretrained.preprocessing
    return Prepared(
        *(sets, skipped, readable.contents, batches, steps, pretrained, description, told),
        augmentation=augmentation,
        frozen=frozen,
        kept=_kept(config, sets, preprocessing, stored_images),
        stored=stored_images,
    )


def balanced_weights(labels: Sequence[int], classes: int) -> Tensor:
    """Return N / (K n) for each class with n of N images, K of them having any: [classes]."""
    counts = torch.tensor(labels).bincount(minlength=classes)
    weights = len(labels) / ((counts > 0).sum() * counts.clamp(min=1)).float()
    return torch.where(counts > 0, weights, 0.0)


def augmentation_of(
    config: RunConfig, images: ImageSet, preprocessing: Preprocessing
) -> Augmentation | None:
    """Return what changes these training images; raises ConfigError where it cannot be made."""
    prepared = fitting(images, preprocessing)
    return make_augmentation(config.training.augment, prepared, config.seed)


def model_source(
    start: Classifier, description: ModelDescription, places: StagePlaces | None
) -> ModelSource:
    """Return what gives teachers their models; `places`: where those of stages lie."""
    return _with_stages(TeacherSource(start, description), places)


def _with_stages(source: TeacherSource, places: StagePlaces | None) -> ModelSource:
    return source if places is None else StagedSource(source, places)


def training_step(
    config: RunConfig,
    models: ModelSource,
    student: Classifier | None = None,
    text: TextSide | None = None,
    average: Classifier | None = None,
) -> TrainingStep:
    """Put student, strategies and teachers together; raises WeightsError for a bad teacher.

    `student`: None for a model of its own, as training starts from. `text`: the text towers, needed
    where the task or a loss reads prompts. `average`: the model of the average of the student's
    weights, which whoever trains keeps up; teachers that follow it are that very model.
    """

    def load(teacher: Teacher) -> Classifier:
        if average is not None and Teacher.of(teacher).follows_average:
            return average
        return returned(teacher, "load", teacher.load(models), Classifier)

    return TrainingStep(
        models.pretrained() if student is None else student,
        config.task.strategy,
        {loss.label: loss.strategy for loss in config.losses},
        {teacher.label: load(teacher.strategy) for teacher in config.teachers},
        {view.label: view_of(view) for view in config.all_views()},
        text,
    )


def view_of(chosen: ChosenView) -> View:
    """Return the strategies of a view as a step takes them."""
    cam = None if chosen.cam is None else chosen.cam.strategy
    return View(chosen.mask.strategy, chosen.fill.strategy, cam)


def _readable_sets(
    sets: SuiteSets, config: RunConfig, processes: Processes, reporter: Reporter
) -> CheckedSuite:
    on_disk = stored((sets.train, sets.val, sets.test, *sets.ood))
    with reporter.task("checking images", sum(map(len, on_disk))) as advance:
        return check_suite(sets, config.training.skip_unreadable, advance, processes)


def _kept(
    config: RunConfig, sets: SuiteSets, preprocessing: Preprocessing, stored: PreparedSets
) -> KeptSets:
    """Choose the sets whose decoded images stay in memory: those read more than once, if small.

    First those that are read in every epoch; what an augmentation changes is decoded each time, and
    sets that are prepared need not be kept.
    """
    training = config.training
    if training.keep_decoded == "none":
        return KeptSets()
    every_epoch = [] if training.epochs < 2 else [sets.train, sets.val]
    if training.augment != NO_AUGMENTATION:
        every_epoch = every_epoch[1:]
    twice = [] if training.no_before else [sets.test, *sets.ood]
    most = memory().available // (_MEMORY_SHARE * local_processes())
    wanted = [
        images
        for images in (*every_epoch, *twice)
        if (found := stored.of(images, preprocessing)) is None or found.there < len(images)
    ]
    return KeptSets.within(most, wanted, preprocessing)


def _batches(config: RunConfig, sets: SuiteSets, processes: int) -> BatchPlan:
    batches = plan_batches(config.training, len(sets.train), processes, sets.train.labels)
    for fill in (view.fill for view in config.all_views()):
        wanted = Refiller.of(fill.strategy).smallest_batch
        if batches.smallest_micro >= wanted:
            continue
        raise ConfigError(
            f"fill '{fill.name}' needs {wanted} images in every micro-batch, got "
            f"{batches.smallest_micro} ({batches.images} training images, batch "
            f"{batches.batch} / {batches.processes} processes / {batches.accumulation} "
            "accumulated): raise --batch-size or --micro-batch, or choose another --fill"
        )
    training = config.training
    clips_often = training.clip_at == "micro-batch" and batches.accumulation > 1
    if clips_often and training.precision == "fp16":
        raise ConfigError(
            "training.clip_at micro-batch cannot be combined with fp16 and accumulation "
            f"{batches.accumulation}: use clip_at step, bf16 or fp32"
        )
    return batches
