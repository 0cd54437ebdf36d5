"""The model that a run starts from: a pre-trained encoder with its first head."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from torch import Tensor

from cfft.config.run_config import RunConfig
from cfft.data.check import check_suite
from cfft.data.consistency import alike_names
from cfft.data.sets import limited, training_sets
from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError, returned, shortened_list
from cfft.model.description import ModelDescription, describe
from cfft.model.heads import (
    alike_columns,
    chosen_head,
    own_head,
    require_words,
    starting_head,
    zero_shot_head,
)
from cfft.model.pretrained import Pretrained
from cfft.model.prompts import resolve_templates
from cfft.runtime.devices import processes_of
from cfft.runtime.progress import Reporter
from cfft.scoring.evaluate import Reading
from cfft.scoring.loaded_model import LoadedModel
from cfft.training.evaluator import Evaluator

if TYPE_CHECKING:
    from accelerate import Accelerator

RANDOM = "random"
_IMAGES_PER_PASS = 64
_MOST_GROUPS = 3
Features = Callable[[], tuple[Tensor, Tensor]]


def starting_model(
    config: RunConfig, classes: tuple[str, ...], accelerator: Accelerator, reporter: Reporter
) -> LoadedModel:
    """Build the model that training would start from, for those who only look at it.

    `classes`: class names by index. Training images are opened and encoded only where the head is
    a linear probe. Raises ConfigError, DataError or WeightsError as a run does.
    """
    pretrained = pretrained_model(config)
    for line in pretrained.warnings:
        reporter.warned(line)

    def training_features() -> tuple[Tensor, Tensor]:
        sets = training_sets(config.suite.strategy, config.images_seed)
        if config.training.skip_unreadable:
            sets = check_suite(sets, skip=True, processes=processes_of(accelerator)).sets
        sets = limited(sets, config.training.limit_train, config.images_seed)
        reading = Reading(pretrained.preprocessing, _IMAGES_PER_PASS, config.training.workers)
        evaluator = Evaluator(sets, reading, accelerator, reporter)
        return evaluator.training_features(pretrained.encoder)

    described = describe_start(config, pretrained, classes)
    return with_starting_head(pretrained, described, training_features)


def pretrained_model(config: RunConfig) -> Pretrained:
    """Build the model that is configured; raises ConfigError where it has no trained values."""
    built = configured_model(config)
    if not built.trained and config.model.pretrained != RANDOM:
        raise ConfigError(
            f"no pre-trained weights are given for '{config.model.name}': give --pretrained TAG "
            f"or --pretrained FILE; --pretrained {RANDOM} starts from random values on purpose"
        )
    return built


def configured_model(config: RunConfig) -> Pretrained:
    """Build the model that is configured, with the values that are configured or random ones."""
    asked = config.model.pretrained
    weights = None if asked == RANDOM else asked
    backbone = config.backbone.strategy
    built: Pretrained = backbone.build(config.architecture, weights)
    return returned(backbone, "build", built, Pretrained)


def describe_start(
    config: RunConfig,
    pretrained: Pretrained,
    classes: tuple[str, ...],
    seeds: tuple[int, ...] = (),
) -> ModelDescription:
    """Describe the starting model of a configuration: its kind of head and prompts above all.

    `seeds`: those of the runs that will have trained it. Raises ConfigError for unknown prompts.
    """
    head = chosen_head(config.model.head, pretrained)
    named = pretrained.templates
    prompts = resolve_templates(config.model.prompts, named) if head == "zero-shot" else ()
    return describe(
        config.backbone.name, config.architecture, pretrained, classes, head, tuple(prompts), seeds
    )


def check_head(pretrained: Pretrained, described: ModelDescription) -> None:
    """Raise ConfigError for a head that the backbone cannot give, before one is computed."""
    classes = described.classes
    if described.head == "zero-shot":
        zero_shot_head(pretrained, classes[:1], described.prompts[:1])
        require_words(classes)
    elif described.head == "own":
        own_head(pretrained, len(classes))


def alike_classes(
    model: LoadedModel, known: Collection[str] = (), *, but_named: bool = False
) -> str | None:
    """Return a warning of classes that a head made of prompts cannot tell apart, or None.

    `known`: names that several classes have on purpose. `but_named`: leave out those that
    `alike_names` finds.
    """
    if model.description.head != "zero-shot":
        return None
    names = model.description.classes
    groups = [[names[index] for index in group] for group in alike_columns(model.classifier.head)]
    left = [group for group in groups if not {*group} <= {*known}]
    if but_named:
        left = [group for group in left if alike_names(group) != [tuple(group)]]
    if not left:
        return None
    told = "; ".join(shortened_list(map(repr, group)) for group in left[:_MOST_GROUPS])
    more = f" and {len(left) - _MOST_GROUPS} more" if len(left) > _MOST_GROUPS else ""
    return (
        f"the text tower reads these classes as one: {told}{more}; the zero-shot head answers the "
        "first alone: give them different names (classes.txt)"
    )


def with_starting_head(
    pretrained: Pretrained, described: ModelDescription, training_features: Features
) -> LoadedModel:
    """Give the encoder its described head; prompts or images may have to be encoded for it.

    `training_features`: as in `starting_head`. Raises as it does.
    """
    head = starting_head(
        described.head, pretrained, described.classes, described.prompts, training_features
    )
    return LoadedModel(Classifier(pretrained.encoder, head), described)
