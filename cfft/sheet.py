"""A sheet of pictures: originals, maps, masks and the counterfactuals made of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from cfft.counterfactual import enlarged
from cfft.data.loading import Loader, to_batch
from cfft.data.pictures import PictureSubset
from cfft.engine import TrainingStep
from cfft.interfaces import PictureSet, Preprocessing
from cfft.randomness import generator
from cfft.records import Counterfactual, MaskSelection, StepOutputs

ROWS = 6
_GREY, _DARK = 0.5, 0.15
_INCH = 1.6


def sample_sheet(
    step: TrainingStep,
    pictures: PictureSet,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    seed: int,
) -> Figure:
    """Draw what `step` makes of some pictures, of as many of the `classes` as fit.

    One row a picture: the original, the student's map where the mask rests on one, the hidden
    patches (dark), and the counterfactual picture with dropped patches in grey. Draws from
    generators of its own, so that training is the same with and without it.
    """
    least = getattr(step.strategies[1], "smallest_batch", 1) if step.strategies else 1
    indices = one_of_each_class(pictures.labels, max(ROWS, least))
    sample = PictureSubset(whole=pictures, indices=tuple(indices), name=pictures.name)
    ((images, labels, _),) = Loader(sample, preprocessing).load([list(range(len(indices)))])
    device = step.student.head.weight.device
    batch = to_batch(images.to(device), labels.to(device))
    draws = generator(seed, "sheet-mask"), generator(seed, "sheet-fill")
    names = [classes[label] for label in labels.tolist()]
    return draw_sheet(step.outputs(batch, *draws), names[:ROWS])


def one_of_each_class(labels: Sequence[int], count: int) -> list[int]:
    """Return up to `count` indices, in turns over the classes, the first picture of each first."""
    seen: dict[int, int] = {}
    turns = []
    for index, label in enumerate(labels):
        turns.append((seen.get(label, 0), label, index))
        seen[label] = seen.get(label, 0) + 1
    return [index for _, _, index in sorted(turns)[:count]]


def draw_sheet(outputs: StepOutputs, names: Sequence[str]) -> Figure:
    """Draw a row for each of the first pictures of the batch, as many as have `names`.

    Raises ValueError for a step without a mask.
    """
    if outputs.selection is None or outputs.counterfactual is None:
        raise ValueError("no sheet can be drawn of a step without mask and fill")
    images = outputs.batch.images
    columns = _columns(images, outputs.selection, outputs.counterfactual)
    rows = len(names)
    figure = Figure(figsize=(_INCH * len(columns), _INCH * rows), layout="constrained", dpi=120)
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for column, (title, shown) in enumerate(columns.items()):
        axes[0, column].set_title(title, fontsize=9)
        for row in range(rows):
            _show(axes[row, column], shown[row])
    for row, name in enumerate(names):
        axes[row, 0].set_ylabel(name, fontsize=9)
    return figure


def _columns(
    images: Tensor, selection: MaskSelection, counterfactual: Counterfactual
) -> dict[str, Tensor]:
    size = (images.shape[-2], images.shape[-1])
    columns = {"original": images}
    if selection.scores is not None:
        columns["map"] = _heat(enlarged(selection.scores, size))
    hidden = enlarged(selection.hidden, size)[:, None]  # [B, 1, H, W]
    columns["hidden"] = torch.where(hidden, _DARK * images, images)
    columns["counterfactual"] = counterfactual.images
    if counterfactual.dropped is not None:
        dropped = enlarged(counterfactual.dropped, size)[:, None]
        columns["counterfactual"] = counterfactual.images.masked_fill(dropped, _GREY)
    return columns


def _heat(scores: Tensor) -> Tensor:
    coloured = torch.from_numpy(colormaps["magma"](scores.float().cpu().numpy()))  # [B, H, W, 4]
    return coloured[..., :3].permute(0, 3, 1, 2)


def _show(axes: Axes, image: Tensor) -> None:
    axes.imshow(image.detach().float().clamp(0, 1).cpu().permute(1, 2, 0).numpy())
    axes.set_xticks([])
    axes.set_yticks([])
