"""The model that a run starts from, for those who want to look at it without training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cfft.config.resolve import RunConfig
from cfft.data.check import check_suite
from cfft.data.sets import training_sets
from cfft.data.suite import ImageSet
from cfft.encoder.encoder import Classifier
from cfft.model.description import describe
from cfft.model.heads import chosen_head, starting_head
from cfft.model.rebuild import Rebuilt
from cfft.runtime.devices import processes_of
from cfft.runtime.processes import Processes
from cfft.runtime.progress import Reporter
from cfft.scoring.evaluate import Reading, outputs_of
from cfft.training.prepare import head_templates, limited, pretrained_model

if TYPE_CHECKING:
    from accelerate import Accelerator

_IMAGES_PER_PASS = 64


def starting_model(
    config: RunConfig, classes: tuple[str, ...], accelerator: Accelerator, reporter: Reporter
) -> Rebuilt:
    """Return the pre-trained encoder with the head that training would start from.

    `classes`: class names by index. Training images are opened and encoded only where the head is
    a linear probe. Raises ConfigError, DataError or WeightsError as a run does.
    """
    pretrained = pretrained_model(config)
    kind = chosen_head(config.model.head, pretrained)
    templates = head_templates(config, pretrained) if kind == "zero-shot" else ()

    def training_features() -> tuple[Tensor, Tensor]:
        train = _training_images(config, processes_of(accelerator))
        reading = Reading(pretrained.preprocessing, _IMAGES_PER_PASS, config.training.workers)
        encoder = pretrained.encoder.to(accelerator.device)
        with reporter.task("encoding training images", len(train)) as advance:
            features = outputs_of(encoder, train, reading, accelerator, advance)
        pretrained.encoder.to("cpu")
        return features, torch.tensor(train.labels)

    head = starting_head(kind, pretrained, classes, templates, training_features)
    described = describe(
        config.backbone.name, config.architecture, pretrained, classes, kind, templates
    )
    return Rebuilt(Classifier(pretrained.encoder, head), described)


def before_name(head: str) -> str:
    """Name a model before fine-tuning by its head: "zero-shot", "pre-trained (linear-probe)"."""
    return head if head == "zero-shot" else f"pre-trained ({head})"


def _training_images(config: RunConfig, processes: Processes) -> ImageSet:
    """Open the images that a run of this configuration trains on."""
    sets = training_sets(config.suite.strategy, config.seed)
    if config.training.skip_unreadable:
        sets, _ = check_suite(sets, skip=True, processes=processes)
    return limited(sets, config).train
