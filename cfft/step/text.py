"""The text towers of a step: the one that is trained, and the pre-trained one."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import cast

import attrs
import torch
from torch import Tensor, nn

_PLACE = "{}"


class TextSide(nn.Module):
    """Hold the text tower of the student and, apart from it, the pre-trained one.

    `tower`: turns a list of n prompts into features [n, D], un-normalised and in the graph, and has
    a parameter `logit_scale` [], the learnt logarithm. `trained`: whether a term trains it; else
    both are one and it is frozen. `classes`: names by index. `templates`: with `{}` for the name.
    `averaged`: the average of the trained tower over steps, where a run keeps one up, else None.
    """

    averaged: nn.Module | None

    def __init__(
        self, tower: nn.Module, classes: Sequence[str], templates: Sequence[str], *, trained: bool
    ) -> None:
        super().__init__()
        self.frozen = deepcopy(tower).requires_grad_(False) if trained else tower
        self.tower = tower.requires_grad_(trained)
        self.trained, self.averaged = trained, None
        self.classes, self.templates = tuple(classes), tuple(templates)
        self._kept: dict[str, Tensor] = {}

    def at(self, rng: torch.Generator) -> PromptFeatures:
        """Return the StepText of one step, with its generator."""
        return PromptFeatures(self, rng)

    def pretrained(self, prompts: Sequence[str]) -> Tensor:
        """Return features [n, D] of the pre-trained tower, each prompt encoded once."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._kept]
        if new:
            with torch.no_grad():
                self._kept.update(zip(new, self.frozen(new), strict=True))
        device = next(self.frozen.parameters()).device
        return torch.stack([self._kept[prompt] for prompt in prompts]).to(device)


@attrs.frozen(eq=False)
class PromptFeatures:
    """Give the terms of one step the features of prompts: its StepText."""

    _side: TextSide
    rng: torch.Generator

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by index."""
        return self._side.classes

    @property
    def templates(self) -> tuple[str, ...]:
        """Prompt templates with `{}` for the class name."""
        return self._side.templates

    @property
    def logit_scale(self) -> Tensor:
        """The student's factor of cosine similarities: []."""
        scale = cast(Tensor, self._side.tower.logit_scale)
        return scale.exp()

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return the student's text features [n, D], un-normalised, in the graph."""
        features: Tensor = self._side.tower(list(prompts))
        return features

    def pretrained(self, prompts: Sequence[str]) -> Tensor:
        """Return those of the pre-trained text tower: [n, D], computed once for each prompt."""
        return self._side.pretrained(prompts)

    def averaged(self, prompts: Sequence[str]) -> Tensor:
        """Return those of the average of the student's text tower over steps: [n, D].

        Raises ValueError in a run that keeps up no such average.
        """
        if self._side.averaged is None:
            raise ValueError("no text tower is averaged in this run: it needs --average")
        with torch.no_grad():
            features: Tensor = self._side.averaged(list(prompts))
        return features

    def prompt(self, template: str, label: int) -> str:
        """Fill a template with the name of a class; underscores in it become spaces."""
        return template.replace(_PLACE, self.classes[label].replace("_", " "))
