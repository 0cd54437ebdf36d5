"""Outcomes of stored predictions: what each model made of each image, without its logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cfft.data.fingerprint import fingerprint
from cfft.evaluation.compare.comparison import redrawn_top1
from cfft.evaluation.compare.measured import MeasuredModel, MeasuredSet
from cfft.report.sources.records import ReportedModel
from cfft.scoring.intervals import Shares
from cfft.scoring.predictions import Predictions, chosen_labels
from cfft.scoring.scores import LabelSpace, in_label_space

_ROWS = 4096  # of logits at a time: probabilities of all would double the memory
_SAME = 1e-6


@attrs.frozen(eq=False)
class Outcome:
    """Hold what a model made of the N images of a set.

    `names`: one per image. `labels`, `chosen`: [N], int64, the true label and the predicted one.
    `true_share`, `chosen_share`: [N], float32, the probabilities of these, 0..1. `original`: [N],
    the number of the image that each is a version of. `images`, `originals`: digests of names and
    labels and of the originals' names; sets with the same ones are paired image by image.
    """

    names: tuple[str, ...]
    labels: NDArray[np.int64]
    chosen: NDArray[np.int64]
    true_share: NDArray[np.float32]
    chosen_share: NDArray[np.float32]
    original: NDArray[np.int64]
    images: str
    originals: str

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each image was predicted correctly: [N], bool."""
        found: NDArray[np.bool_] = self.labels == self.chosen
        return found

    @property
    def digests(self) -> tuple[str, str]:
        return self.images, self.originals


Place = tuple[str, str]
"""The label of a model and the name of a set."""


def read_outcomes(models: Sequence[ReportedModel]) -> dict[Place, Outcome]:
    """Read the predictions of all models that have some; raises DataError for damaged ones."""
    first: dict[tuple[str, str], Outcome] = {}
    found: dict[Place, Outcome] = {}
    for model in models:
        for name, path in model.files.items():
            outcome = read_outcome(path, name, model.label_space or "subset")
            known = first.setdefault(outcome.digests, outcome)  # what models share is kept once
            found[model.label, name] = attrs.evolve(
                outcome, names=known.names, labels=known.labels, original=known.original
            )
    return found


def read_outcome(path: Path, name: str, space: LabelSpace) -> Outcome:
    """Read the predictions for set `name`, judged in a label space; raises DataError."""
    saved = in_label_space(Predictions.load(path), space)
    chosen = chosen_labels(saved)
    true_share, chosen_share = _probabilities(saved, chosen)
    origins = saved.origins or [f"{name}/{image}" for image in saved.names]
    return Outcome(
        saved.names,
        saved.labels.numpy(),
        chosen.numpy(),
        true_share.numpy(),
        chosen_share.numpy(),
        saved.original,
        fingerprint(saved.names, saved.labels.tolist()),
        fingerprint(dict.fromkeys(origins), ()),
    )


def _probabilities(saved: Predictions, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the probabilities of the true and of the chosen label: [N], float32 each.

    A label has those of all classes of the set that stand for it.
    """
    classes = torch.tensor(saved.classes)
    stands_for = saved.stands_for[classes]  # [C]
    is_all = len(classes) == saved.logits.shape[1]
    parts = []
    for start in range(0, len(chosen), _ROWS):
        rows = slice(start, start + _ROWS)
        logits = saved.logits[rows] if is_all else saved.logits[rows][:, classes]
        shares = logits.float().softmax(dim=1)  # [rows, C]
        asked = torch.stack([saved.labels[rows], chosen[rows]], dim=1)  # [rows, 2]
        by_label = shares.new_zeros(len(shares), saved.logits.shape[1])
        by_label.index_add_(1, stands_for, shares)
        parts.append(by_label.gather(1, asked))
    true, taken = torch.cat(parts).clamp(max=1).unbind(dim=1)
    return true, taken


def redrawn(
    models: Sequence[ReportedModel], outcomes: Mapping[Place, Outcome]
) -> dict[Place, Shares]:
    """Return top-1 on redrawn images by model and set: [REPLICATES] each, as `cfft eval` does.

    Only of sets whose predictions give the accuracy that their source states.
    """
    measured = [
        MeasuredModel(
            model.identity,
            {
                name: MeasuredSet(entry, own.correct, own.images, own.original, own.originals)
                for name, entry in model.sets.items()
                if (own := outcomes.get((model.label, name))) is not None
                and abs(float(own.correct.mean()) - entry.top1) < _SAME
            },
        )
        for model in models
    ]
    return redrawn_top1(measured)
