"""The text towers of a step: the one that is trained, the pre-trained one, and an average."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import cached_property
from math import log
from string import ascii_lowercase
from typing import cast

import attrs
import torch
from torch import Tensor, nn

from cfft.records import Batch

LARGEST_SCALE = 100.0
"""The largest factor of cosine similarities (CLIP, Radford et al. 2021, 2.5)."""

_PLACE = "{}"
_KEPT_CLASS_PROMPTS = 8192
_KEPT_LISTS = 64


class TextSide(nn.Module):
    """Hold the text tower of the student and, apart from it, the pre-trained one.

    `tower`: turns a list of n prompts into features [n, D], un-normalised and in the graph, and has
    a parameter `logit_scale`, the learnt logarithm; it may name `words` that are one token each. It
    is frozen and otherwise left as it is. `needs`: what terms look at, see AuxLoss; with
    "student.text" a copy of the tower is trained, with "teacher.text" the pre-trained one stays.
    `classes`: names by index. `templates`: with `{}` for the name. `averaged`: the average of the
    trained tower over steps, where a run keeps one up, else None.
    """

    averaged: nn.Module | None

    def __init__(
        self,
        tower: nn.Module,
        classes: Sequence[str],
        templates: Sequence[str],
        needs: frozenset[str],
    ) -> None:
        super().__init__()
        frozen = tower.requires_grad_(False)
        self.student = deepcopy(tower).requires_grad_(True) if "student.text" in needs else None
        self.frozen = frozen if "teacher.text" in needs else None
        self.averaged = None
        self.classes, self.templates = tuple(classes), tuple(templates)
        self.words = tuple(getattr(tower, "words", ascii_lowercase))
        self._kept: dict[tuple[str, ...], Tensor] = {}
        self._kept_classes: Tensor | None = None

    @property
    def tower(self) -> nn.Module:
        """The text tower that is trained; raises ValueError where no term trains one."""
        return _present(self.student, "student.text")

    @property
    def trained(self) -> bool:
        """Tell whether some term trains a text tower."""
        return self.student is not None

    def at(self, rng: torch.Generator, batch: Batch | None = None) -> PromptFeatures:
        """Return the StepText of one step, with its generator; `batch` may know its labels."""
        return PromptFeatures(self, rng, batch)

    def class_prompts(self) -> list[str]:
        """List each class in each template, class by class: K * M prompts."""
        return [filled(template, name) for name in self.classes for template in self.templates]

    def by_class(self, features: Tensor) -> Tensor:
        """Bring the features [K * M, D] of `class_prompts` into the shape [K, M, D]."""
        return features.reshape(len(self.classes), len(self.templates), -1)

    @torch.no_grad()
    def limit_scale(self) -> None:
        """Bring the trained factor of similarities down to 100, as CLIP does after each step."""
        if self.student is not None:
            cast(Tensor, self.student.logit_scale).clamp_(max=log(LARGEST_SCALE))

    @torch.no_grad()
    def kept(self, prompts: Sequence[str]) -> Tensor:
        """Return features [n, D] of the pre-trained tower; some lists of prompts are kept.

        They do not depend on what was asked for before, as a resumed run has not asked: values of a
        prompt differ in the last bits with the prompts beside it. Class prompts are those of
        `kept_classes`, unless there are very many.
        """
        asked, places = tuple(prompts), self._class_places
        if places and places.keys() >= {*asked}:
            rows = [places[prompt] for prompt in asked]
            return _rows(self.kept_classes().flatten(0, 1), rows)
        frozen = _present(self.frozen, "teacher.text")
        if asked not in self._kept:
            self._kept[asked] = encoded_once(frozen, asked)
        for oldest in list(self._kept)[:-_KEPT_LISTS]:
            del self._kept[oldest]
        return self._kept[asked].to(next(frozen.parameters()).device)

    @cached_property
    def _class_places(self) -> dict[str, int]:
        """Number the class prompts; empty where they are too many to encode all of them."""
        if len(self.classes) * len(self.templates) > _KEPT_CLASS_PROMPTS:
            return {}
        return {prompt: place for place, prompt in enumerate(self.class_prompts())}

    @torch.no_grad()
    def kept_classes(self) -> Tensor:
        """Return features [K, M, D] of all class prompts by the pre-trained tower, made once."""
        frozen = _present(self.frozen, "teacher.text")
        device = next(frozen.parameters()).device
        if self._kept_classes is None:
            self._kept_classes = self.by_class(frozen(self.class_prompts()))
        self._kept_classes = self._kept_classes.to(device)
        return self._kept_classes


@attrs.frozen(eq=False)
class PromptFeatures:
    """Give the terms of one step the features of prompts: its StepText."""

    _side: TextSide
    rng: torch.Generator
    _batch: Batch | None = None
    _made: dict[tuple[str, ...], Tensor] = attrs.field(factory=dict, init=False)
    _captions: dict[tuple[int, ...], list[str]] = attrs.field(factory=dict, init=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by index."""
        return self._side.classes

    @property
    def templates(self) -> tuple[str, ...]:
        """Prompt templates with `{}` for the class name."""
        return self._side.templates

    @property
    def words(self) -> tuple[str, ...]:
        """Words that the tower reads as one token each."""
        return self._side.words

    @property
    def logit_scale(self) -> Tensor:
        """The student's factor of cosine similarities: [], in the graph."""
        return _factor(self._side.tower)

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return the student's text features [n, D], un-normalised, in the graph.

        A prompt that occurs several times is encoded once, and so is a list that is asked for again
        in the same step.
        """
        asked = tuple(prompts)
        if asked not in self._made:
            self._made[asked] = encoded_once(self._side.tower, asked)
        return self._made[asked]

    def of_classes(self) -> Tensor:
        """Return the student's features of all class prompts: [K, M, D], in the graph."""
        return self._side.by_class(self(self._side.class_prompts()))

    @property
    def pretrained(self) -> PretrainedFeatures:
        """The pre-trained text tower."""
        return PretrainedFeatures(self._side)

    @property
    def averaged(self) -> AveragedFeatures:
        """The average of the student's text tower over steps; raises ValueError without one."""
        if self._side.averaged is None:
            raise ValueError("no text tower is averaged in this run: it needs --average")
        return AveragedFeatures(self._side, self._side.averaged)

    def prompt(self, template: str, label: int) -> str:
        """Fill a template with the name of a class; underscores in it become spaces."""
        return filled(template, self.classes[label])

    def captions(self, labels: Tensor) -> list[str]:
        """Return one prompt for each of the labels [B], in templates drawn at random.

        All terms of a step get the same ones. The labels are read on the host, which waits for the
        device unless they are the batch's and it knows them.
        """
        asked = self._numbers(labels)
        if asked not in self._captions:
            drawn = torch.randint(len(self.templates), (len(asked),), generator=self.rng).tolist()
            self._captions[asked] = [
                self.prompt(self.templates[template], label)
                for template, label in zip(drawn, asked, strict=True)
            ]
        return self._captions[asked]

    def _numbers(self, labels: Tensor) -> tuple[int, ...]:
        batch = self._batch
        if batch is not None and batch.host_labels is not None and labels is batch.labels:
            return batch.host_labels
        return tuple(labels.tolist())


@attrs.frozen(eq=False)
class PretrainedFeatures:
    """Give the features of prompts by the pre-trained tower: TextFeatures without gradients."""

    _side: TextSide

    @property
    def logit_scale(self) -> Tensor:
        """The pre-trained factor of cosine similarities: []."""
        return _factor(_present(self._side.frozen, "teacher.text"))

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return features [n, D], un-normalised."""
        return self._side.kept(prompts)

    def of_classes(self) -> Tensor:
        """Return features of all class prompts [K, M, D], computed once in a run."""
        return self._side.kept_classes()


@attrs.frozen(eq=False)
class AveragedFeatures:
    """Give the features of prompts by an averaged tower: TextFeatures without gradients."""

    _side: TextSide
    _tower: nn.Module

    @property
    def logit_scale(self) -> Tensor:
        """The averaged factor of cosine similarities: []."""
        return _factor(self._tower).detach()

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return features [n, D], un-normalised."""
        features: Tensor = self._tower(list(prompts))
        return features

    def of_classes(self) -> Tensor:
        """Return features of all class prompts [K, M, D]."""
        return self._side.by_class(self(self._side.class_prompts()))


def encoded_once(tower: nn.Module, prompts: Sequence[str]) -> Tensor:
    """Return features [n, D] of n prompts; one that occurs several times is encoded once."""
    places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
    features: Tensor = tower(list(places))
    if len(places) == len(prompts):
        return features
    return _rows(features, [places[prompt] for prompt in prompts])


def _rows(features: Tensor, rows: Sequence[int]) -> Tensor:
    """Return rows [n, D] of features [m, D], in that order; nothing waits for the device."""
    return features[torch.tensor(rows).to(features.device, non_blocking=True)]


def filled(template: str, name: str) -> str:
    """Fill a template with a class name; underscores in it become spaces."""
    return template.replace(_PLACE, name.replace("_", " "))


def _factor(tower: nn.Module) -> Tensor:
    return cast(Tensor, tower.logit_scale).exp().squeeze()


def _present(tower: nn.Module | None, need: str) -> nn.Module:
    if tower is None:
        raise ValueError(f"{need} was not computed: the loss or task has to name it in `needs`")
    return tower
