"""What a run was started with, and what may have changed when it is resumed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs
import torch
from torch import Tensor

from cfft.config.changes import SETTINGS, Change, check_changes
from cfft.config.run_config import RunConfig
from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError, shortened_list, unknown_name
from cfft.model.weights import weights_digest
from cfft.step.engine import TrainingStep
from cfft.training.prepare import Prepared

IMAGES, WEIGHTS, PROMPTS = "images", "weights", "prompts"
CHANGEABLE = (IMAGES, WEIGHTS, PROMPTS, SETTINGS)
"""What may be allowed to have changed; classes and the list of images may not."""

_START = "start"


@attrs.frozen(kw_only=True)
class RunInputs:
    """Hold what training depends on besides the machine, as the checkpoint `last` keeps it.

    `pictures`: a SHA-256 of all sets' names and their images' names and labels. `contents`: digests
    of the images by set, see CheckedSuite. `weights`: digests of the pre-trained encoder (label "")
    and of the teachers by label, "start" for one that is the model that the student begins as.
    `prompts`: templates of the head. `config`: the resolved configuration. Checkpoints of older
    versions hold the first alone, or leave out teachers that have the student's first head.
    """

    pictures: str
    contents: Mapping[str, str] | None = None
    weights: Mapping[str, str] | None = None
    prompts: tuple[str, ...] | None = None
    config: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, config: RunConfig, prepared: Prepared) -> RunInputs:
        """Describe what a session is about to train with, teachers aside."""
        return cls(
            pictures=prepared.fingerprint,
            contents=dict(prepared.contents),
            weights={"": weights_digest(prepared.pretrained.encoder.state_dict())},
            prompts=prepared.description.prompts,
            config=config.to_dict(),
        )

    def with_teachers(self, step: TrainingStep, start: Classifier) -> RunInputs:
        """Add the weights of all teachers; `start`: the model that the student begins as.

        A teacher that is that very model is noted as such, without a digest: heads that are made of
        prompts or fitted to features depend on the machine in their last bits.
        """
        beginning = start.weights()
        found = {
            label: _teacher_digest(step.teacher(label).classifier.weights(), beginning)
            for label in step.labels
        }
        return attrs.evolve(self, weights={**(self.weights or {}), **found})

    def of_teachers(self) -> RunInputs:
        """Leave out the weights of the student's beginning, which were compared before."""
        weights = self.weights or {}
        return attrs.evolve(self, weights={k: v for k, v in weights.items() if k})


def check_allowed(allowed: Collection[str], *, resume: bool) -> None:
    """Raise ConfigError unless each of `allowed` can be, and the run is resumed."""
    for each in allowed:
        if each not in CHANGEABLE:
            raise ConfigError(unknown_name("thing that may change", each, CHANGEABLE))
    if allowed and not resume:
        raise ConfigError(
            f"--allow-changed {', '.join(allowed)} belongs to --resume: a new run has nothing that "
            "could have changed"
        )


def allowed_changes(
    before: RunInputs, now: RunInputs, allowed: Collection[str], place: object
) -> list[str]:
    """Return what has changed since a run was started, each in a line.

    Raises ConfigError that lists it, unless everything in it is `allowed`. More epochs always are,
    and some settings never; see cfft.config.changes.
    """
    edited = [change.line for change in _edited(before, now, allowed, place)]
    if before.pictures != now.pictures:
        raise ConfigError(
            f"--resume: {place} was started with different files: the set of images has changed: "
            "restore them, or start a new run"
        )
    changes = dict(_changes(before, now))
    refused = [kind for kind in changes if kind not in allowed]
    if refused:
        raise ConfigError(
            f"--resume: {place} was started with other files:",
            *(f"  {changes[kind]}" for kind in refused),
            f"restore them, start a new run, or go on with --allow-changed {','.join(refused)}",
        )
    return [*edited, *changes.values()]


def _edited(
    before: RunInputs, now: RunInputs, allowed: Collection[str], place: object
) -> tuple[Change, ...]:
    if before.config is None or now.config is None:
        return ()
    head = f"--resume: config.toml in {place} is not what the run was started with:"
    tail = "restore it, or start a new run in another --out"
    return check_changes(before.config, now.config, head, tail, allowed=SETTINGS in allowed)


def _changes(before: RunInputs, now: RunInputs) -> Iterator[tuple[str, str]]:
    sets = _differing(before.contents, now.contents)
    if sets:
        yield IMAGES, f"images: other content under the same names in {shortened_list(sets)}"
    models = _differing(before.weights, now.weights)
    if models:
        names = [f"teacher '{label}'" if label else "the pre-trained model" for label in models]
        yield WEIGHTS, f"weights: others in the file of {shortened_list(names)}"
    if None not in (before.prompts, now.prompts) and before.prompts != now.prompts:
        yield PROMPTS, f"prompts: {_listed(before.prompts)} -> {_listed(now.prompts)}"


def _listed(prompts: Collection[str] | None) -> str:
    return shortened_list((f"'{prompt}'" for prompt in prompts or ()), 2) or "none"


def _differing(before: Mapping[str, str] | None, now: Mapping[str, str] | None) -> list[str]:
    """Return the names that both have, with other digests."""
    if before is None or now is None:
        return []
    return [name for name, digest in before.items() if now.get(name, digest) != digest]


def _teacher_digest(weights: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> str:
    is_start = weights.keys() == start.keys() and all(
        torch.equal(value.cpu(), start[name].cpu().to(value.dtype))
        for name, value in weights.items()
    )
    return _START if is_start else weights_digest(weights)
