"""The text towers of a run, where its task or a loss compares images with prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.model.description import ModelDescription
from cfft.model.heads import require_words
from cfft.model.pretrained import Pretrained
from cfft.model.prompts import resolve_templates
from cfft.step.interfaces import TEXT_NEEDS, Task
from cfft.step.needs import needs_of, task_and_losses
from cfft.step.text import TextSide


def text_side(config: RunConfig, pretrained: Pretrained, classes: Sequence[str]) -> TextSide | None:
    """Return the text towers that the objective needs, None where it needs none.

    `classes`: class names by index. Raises ConfigError where the model has no text tower that reads
    prompts, the classes have no names, or the run keeps up no average of a tower.
    """
    reading = terms_with_text(config)
    if not reading:
        return None
    who = next(iter(reading))
    if pretrained.text is None:
        kind = who.partition(" ")[0]
        raise ConfigError(
            f"{who} compares images with prompts, and '{config.model.name}' has no text tower, or "
            "its weight file has none: choose a CLIP model with both towers, or another "
            f"--{kind}"
        )
    needs = frozenset[str]().union(*reading.values())
    for each in (each for each, own in reading.items() if "average.text" in own):
        if config.average is None or "student.text" not in needs:
            raise ConfigError(
                f"{each} reads an average of the text tower: it needs --average, such as "
                "--average ema, and a task or loss that trains the tower"
            )
    require_words(classes, who, f"another --{who.partition(' ')[0]}")
    templates = resolve_templates(config.model.prompts, pretrained.templates)
    _check_reading(pretrained.text, templates, who)
    return TextSide(pretrained.text, classes, templates, needs)


def terms_with_text(config: RunConfig) -> Mapping[str, frozenset[str]]:
    """Map the task and losses that read prompts, as messages call them, to what they look at."""
    found = {who: needs & TEXT_NEEDS for who, needs in needs_of_terms(config).items()}
    return {who: own for who, own in found.items() if own}


def needs_of_terms(config: RunConfig) -> Mapping[str, frozenset[str]]:
    """Map the task and losses, as messages call them, to what they look at."""
    task = config.task.strategy
    losses = {chosen.label: chosen.strategy for chosen in config.losses}
    named = {Task.of(task).term: f"task '{config.task.name}'"}
    named |= {label: f"loss '{label}'" for label in losses}
    terms = task_and_losses(task, losses)
    return {named[label]: needs_of(label, term) for label, term in terms.items()}


def check_text_head(config: RunConfig, described: ModelDescription) -> None:
    """Raise ConfigError where the task makes the head of prompts and another one is asked for."""
    if Task.of(config.task.strategy).head_from_text and described.head != "zero-shot":
        raise ConfigError(
            f"task '{config.task.name}' makes the head of prompts: --head must be zero-shot or "
            f"auto, got {described.head}"
        )


@torch.no_grad()
def _check_reading(tower: nn.Module, prompts: Sequence[str], who: str) -> None:
    """Encode one prompt, so that a tower that cannot stops the run before training."""
    try:
        tower(prompts[:1])
    except ConfigError as error:
        raise ConfigError(f"{who} compares images with prompts: {error}") from error
