"""Everything before training: open, check and build what a configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import torch
from torch import Tensor

from cfft.config.resolve import Chosen, RunConfig
from cfft.data.check import check_suite, stored
from cfft.data.consistency import every_set
from cfft.data.fingerprint import sets_fingerprint
from cfft.data.images import ImageSubset
from cfft.data.sets import training_sets
from cfft.data.splits import stratified_subset
from cfft.data.suite import SuiteSets
from cfft.encoder.encoder import Classifier, Head
from cfft.errors import ConfigError
from cfft.model.description import ModelDescription, Models, describe
from cfft.model.heads import chosen_head, own_head, require_words, starting_head, zero_shot_head
from cfft.model.pretrained import Pretrained
from cfft.model.prompts import resolve_templates
from cfft.runtime.processes import Processes
from cfft.runtime.progress import Reporter
from cfft.step.engine import TrainingStep
from cfft.training.batches import BatchPlan, plan_batches
from cfft.training.schedule import Steps, count_steps, parse_interval

RANDOM = "random"
Features = Callable[[], tuple[Tensor, Tensor]]


@attrs.frozen(eq=False)
class Prepared:
    """Hold what a run is made of, checked; nothing expensive has happened yet.

    `skipped`: unreadable images that were left out. `head`: the kind that training starts from.
    `templates`: the prompts of a zero-shot head.
    """

    sets: SuiteSets
    skipped: tuple[Mapping[str, str], ...]
    batches: BatchPlan
    steps: Steps
    pretrained: Pretrained
    head: str
    templates: tuple[str, ...]
    description: ModelDescription

    @property
    def fingerprint(self) -> str:
        """Return a SHA-256 of all sets: their names, and their images' names and labels."""
        return sets_fingerprint(every_set(self.sets))


def prepare(config: RunConfig, processes: Processes, reporter: Reporter) -> Prepared:
    """Open the images, check that everything fits together and build the pre-trained model.

    `processes` share the decoding of the images; all return the same.
    Raises ConfigError, DataError or WeightsError for what a user can mend.
    """
    parse_interval(config.training.checkpoint_every)
    opened = training_sets(config.suite.strategy, config.seed)
    _batches(config, limited(opened, config), processes.count)
    pretrained = pretrained_model(config)
    head = chosen_head(config.model.head, pretrained)
    templates = head_templates(config, pretrained) if head == "zero-shot" else ()
    _check_head(head, pretrained, opened.classes, templates)
    description = describe(
        config.backbone.name, config.architecture, pretrained, opened.classes, head, templates,
        (config.seed,),
    )  # fmt: skip
    _check_objective(config, pretrained, description)
    readable, skipped = _readable_sets(opened, config, processes, reporter)
    sets = limited(readable, config)
    batches = _batches(config, sets, processes.count)
    steps = count_steps(config.training, batches.steps_per_epoch)
    return Prepared(sets, skipped, batches, steps, pretrained, head, templates, description)


def starting_models(prepared: Prepared, training_features: Features) -> Models:
    """Make the head that training starts from; prompts or images may have to be encoded."""
    head = starting_head(
        prepared.head,
        prepared.pretrained,
        prepared.sets.classes,
        prepared.templates,
        training_features,
    )
    return Models(Classifier(prepared.pretrained.encoder, head), prepared.description)


def training_step(config: RunConfig, models: Models) -> TrainingStep:
    """Put student, strategies and teachers together; raises WeightsError for a bad teacher."""
    return TrainingStep(
        models.pretrained(),
        _strategy(config.mask),
        _strategy(config.fill),
        _strategy(config.cam),
        {loss.label: loss.strategy for loss in config.losses},
        {teacher.label: teacher.strategy.load(models) for teacher in config.teachers},
    )


def pretrained_model(config: RunConfig) -> Pretrained:
    """Build the model that is configured; raises ConfigError where it has no trained values."""
    asked = config.model.pretrained
    weights = None if asked == RANDOM else asked
    built: Pretrained = config.backbone.strategy.build(config.architecture, weights)
    if not built.trained and asked != RANDOM:
        raise ConfigError(
            f"no pre-trained weights are given for '{config.model.name}': give --pretrained TAG "
            f"or --pretrained FILE; --pretrained {RANDOM} starts from random values on purpose"
        )
    return built


def _readable_sets(
    sets: SuiteSets, config: RunConfig, processes: Processes, reporter: Reporter
) -> tuple[SuiteSets, tuple[Mapping[str, str], ...]]:
    """Decode every image, the one slow check; what is quick to find out comes before it."""
    task = "checking images"
    on_disk = stored((sets.train, sets.val, sets.test, *sets.ood))
    reporter.started(task, sum(map(len, on_disk)))
    sets, found = check_suite(
        sets,
        config.training.skip_unreadable,
        lambda done, _: reporter.advanced(task, done),
        processes,
    )
    reporter.ended(task)
    return sets, tuple(image.record() for image in found)


def limited(sets: SuiteSets, config: RunConfig) -> SuiteSets:
    """Return the sets with no more training images than are configured."""
    limit, train = config.training.limit_train, sets.train
    if limit is None or limit >= len(train):
        return sets
    indices = tuple(stratified_subset(train.labels, limit, config.seed))
    return attrs.evolve(sets, train=ImageSubset(whole=train, indices=indices, name=train.name))


def _batches(config: RunConfig, sets: SuiteSets, processes: int) -> BatchPlan:
    batches = plan_batches(config.training, len(sets.train), processes)
    _check_batches(config, batches)
    return batches


def _check_batches(config: RunConfig, batches: BatchPlan) -> None:
    wanted = getattr(_strategy(config.fill), "smallest_batch", 1)
    if config.fill is not None and batches.smallest_micro < wanted:
        raise ConfigError(
            f"fill '{config.fill.name}' needs {wanted} images in every micro-batch, got "
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


def head_templates(config: RunConfig, pretrained: Pretrained) -> tuple[str, ...]:
    """Return the prompt templates of a zero-shot head; raises ConfigError for unknown ones."""
    asked = config.model.prompts or next(iter(pretrained.templates), "class-name")
    return tuple(resolve_templates(asked, pretrained.templates))


def _check_head(
    head: str, pretrained: Pretrained, classes: tuple[str, ...], templates: tuple[str, ...]
) -> None:
    """Raise ConfigError for a head that the backbone cannot give, before one is computed."""
    if head == "zero-shot":
        zero_shot_head(pretrained, classes[:1], templates[:1])
        require_words(classes)
    elif head == "own":
        own_head(pretrained, len(classes))


def _check_objective(
    config: RunConfig, pretrained: Pretrained, description: ModelDescription
) -> None:
    """Load the teachers once with an empty head: their files may be missing or not fit."""
    encoder, classes = pretrained.encoder, len(description.classes)
    weight, bias = torch.zeros(classes, encoder.dim), torch.zeros(classes)
    empty = Classifier(encoder, Head(weight, bias, description.normalised))
    training_step(config, Models(empty, description))


def _strategy(chosen: Chosen | None) -> Any:
    return None if chosen is None else chosen.strategy
