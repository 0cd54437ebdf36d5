"""The share of an image that masks hide on average: declared, or measured before training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
import torch

from cfft.config.run_config import ChosenView, RunConfig
from cfft.data.suite import ImageSet
from cfft.model.pretrained import Pretrained
from cfft.plugin.params import declaration
from cfft.records import Batch, MaskSelection, Preprocessing
from cfft.runtime.randomness import generator
from cfft.step.engine import Draw, TrainingStep
from cfft.step.interfaces import COUNTERFACTUAL, MaskSelector

SAMPLE = 32
"""Training images that a measurement looks at, of as many classes as possible."""

_MANY = 1_000_000  # of which even a tiny share is a patch
LITTLE, MUCH = 0.05, 0.8
"""Shares below and above which a mask is likely to be a mistake."""


@attrs.frozen
class Coverage:
    """Hold the average share of an image, 0..1, that a view hides.

    `whole`: whether its mask says that it hides all patches or none, of every image. `declared`:
    whether the share is that of every image, so that nothing was measured.
    """

    share: float
    whole: bool
    declared: bool = False


def declared_share(mask: MaskSelector, patches: int) -> float | None:
    """Return the share of `patches` that a mask hides of every image, None where none is fixed."""
    count = MaskSelector.of(mask).hidden_per_image(patches)
    return None if count is None else count / patches


def declared_coverage(config: RunConfig, pretrained: Pretrained) -> dict[str, Coverage]:
    """Return what is known before any measurement, by the label of the view."""
    gh, gw = pretrained.encoder.grid
    masks = {view.label: view.mask.strategy for view in config.all_views()}
    shares = {label: declared_share(mask, gh * gw) for label, mask in masks.items()}
    return {
        label: Coverage(share, _is_whole(masks[label]), declared=True)
        for label, share in shares.items()
        if share is not None
    }


def measure_coverage(
    step: TrainingStep, images: ImageSet, preprocessing: Preprocessing, size: int, seed: int
) -> dict[str, Coverage]:
    """Measure what each view of `step` hides on up to SAMPLE images, `size` at a time.

    Maps are those of the step's student and teachers as they stand. Draws from generators of its
    own, so that training is the same with and without it.
    """
    from cfft.training.sheet import sample_batch  # matplotlib comes with it: a plan does without

    if not step.views:
        return {}
    sample = sample_batch(images, SAMPLE, preprocessing, step.student.head.weight.device)
    parts = zip(sample.images.split(size), sample.labels.split(size), strict=True)
    found = [
        step.selections(Batch(*part), _draws(seed, number)) for number, part in enumerate(parts)
    ]
    return {
        label: _coverage([each[label] for each in found], _is_whole(view.mask))
        for label, view in step.views.items()
    }


def _is_whole(mask: MaskSelector) -> bool:
    """Tell whether a mask may mean to hide all or none, however many patches there are."""
    return MaskSelector.of(mask).hidden_per_image(_MANY) in (None, 0, _MANY)


def _draws(seed: int, number: int) -> Draw:
    return lambda purpose: generator(seed, f"coverage-{purpose}", step=number)


def _coverage(selections: list[MaskSelection], whole: bool) -> Coverage:
    hidden = torch.cat([each.hidden for each in selections])
    counts = {each.hidden_per_image for each in selections}
    return Coverage(hidden.float().mean().item(), whole and counts <= {0, hidden[0].numel()})


def coverage_notes(config: RunConfig, found: Mapping[str, Coverage]) -> Iterator[str]:
    """Say what each view hides on average, where its mask leaves that open."""
    for view in config.all_views():
        if view.label in found and not found[view.label].whole:
            yield _hides(view, found[view.label])


def coverage_warnings(config: RunConfig, found: Mapping[str, Coverage]) -> Iterator[str]:
    """Go through masks that hide so little or so much of an image that they may be mistaken."""
    for view in config.all_views():
        coverage = found.get(view.label)
        if coverage is None or coverage.whole or LITTLE <= coverage.share <= MUCH:
            continue
        outcome = (
            "counterfactual images are nearly the originals"
            if coverage.share < LITTLE
            else "hardly anything of the originals is left"
        )
        yield f"{_hides(view, coverage)}, so that {outcome}: {_remedy(view)}"


def _hides(view: ChosenView, coverage: Coverage) -> str:
    of = "" if view.label == COUNTERFACTUAL else f" of view '{view.label}'"
    percent = f"{100 * coverage.share:.0f} %"
    if coverage.declared:
        return f"mask '{view.mask.name}'{of} hides {percent} of every image"
    share = f"{percent} of an image on average"
    return f"mask '{view.mask.name}'{of} hides {share} (up to {SAMPLE} training images)"


def _remedy(view: ChosenView) -> str:
    declared = declaration(type(view.mask.strategy))
    if declared.param("share") is not None:
        return "give another share (--share 0.5 hides half) or threshold"
    return "change its parameters; cfft preview shows what they do"
