"""A first look of a step at a few images, so that a term that cannot stops a run early."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch

from cfft.config.run_config import RunConfig
from cfft.model.rebuild import empty_classifier
from cfft.step.engine import TrainingStep
from cfft.step.interfaces import ModelSource
from cfft.step.text import TextSide
from cfft.training.averaging import WeightAverage
from cfft.training.prepare import Prepared, model_source, training_step
from cfft.training.stages import StagePlaces
from cfft.training.text_towers import text_side

if TYPE_CHECKING:
    from accelerate import Accelerator


def rehearse(
    step: TrainingStep, config: RunConfig, prepared: Prepared, accelerator: Accelerator
) -> None:
    """Measure a few images; raises what terms raise. Draws from generators of its own."""
    from cfft.training.sheet import sheet_draws, small_batch  # matplotlib: a plan does without

    batch = small_batch(step, prepared.sets.train, prepared.pretrained.preprocessing)
    with accelerator.autocast():  # text features are kept as training computes them
        step.rehearse(batch, sheet_draws(config.seed))


def rehearse_plan(
    config: RunConfig, prepared: Prepared, places: StagePlaces, accelerator: Accelerator
) -> None:
    """Rehearse a run that is not going to be done, with a head of zeros; raises as `rehearse`.

    No head is fitted and no variance of features measured for it. `prepared` moves to the device.
    """
    pretrained, described = prepared.pretrained, prepared.description
    empty = empty_classifier(pretrained, len(described.classes), described.normalised)
    source = model_source(empty, described, places)
    text = text_side(config, pretrained, described.classes)
    average = weight_average(config, source, text, accelerator.device)
    model = None if average is None else average.model
    step = training_step(config, source, text=text, average=model)
    step.class_weights = prepared.class_weights
    step.to(accelerator.device)
    for label in step.labels:
        step.teacher(label).feature_variance = torch.tensor(1.0, device=accelerator.device)
    rehearse(step, config, prepared, accelerator)


def weight_average(
    config: RunConfig, source: ModelSource, text: TextSide | None, device: torch.device
) -> WeightAverage | None:
    """Return the average that a run keeps up, as it begins; `text` has that of a trained tower."""
    if config.average is None:
        return None
    model = source.pretrained().to(device).requires_grad_(False)
    if text is not None and text.trained:
        text.averaged = deepcopy(text.tower).requires_grad_(False)
    tower = None if text is None else text.averaged
    return WeightAverage(config.average.strategy, model, tower)
