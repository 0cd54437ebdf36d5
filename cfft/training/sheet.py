"""A sheet of images: originals, maps, masks and the counterfactuals made of them."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import attrs
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from cfft.data.augmentation import Augmentation
from cfft.data.images import ImageSubset
from cfft.data.loading import Loader, to_batch
from cfft.data.suite import ImageSet
from cfft.records import Batch, Counterfactual, MaskSelection, Preprocessing, StepOutputs
from cfft.runtime.outside import shown, shown_in_line
from cfft.runtime.randomness import generator
from cfft.step.engine import Draw, TrainingStep
from cfft.step.interfaces import COUNTERFACTUAL, Refiller
from cfft.step.patches import enlarged

ROWS = 6
AUGMENTED = "augmented"
_ORIGINAL = "original"
_GREY, _DARK = 0.5, 0.15
_INCH, _LETTERS, _LINES = 1.6, 18, 6


def sample_sheet(
    step: TrainingStep,
    images: ImageSet,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    seed: int,
    augmentation: Augmentation | None = None,
) -> Figure:
    """Draw what `step` makes of some images, of as many of the `classes` as fit.

    One row per image: the original, augmented where images are, the student's map where the mask
    rests on one, the hidden patches (dark), and the counterfactual image with dropped patches in
    grey. Draws from generators of its own, so that training is the same with and without it.
    """
    batch = small_batch(step, images, preprocessing, augmentation)
    names = [classes[label] for label in batch.labels.tolist()]
    first = _ORIGINAL if augmentation is None else AUGMENTED
    return draw_sheet(step.outputs(batch, sheet_draws(seed)), names[:ROWS], first)


def small_batch(
    step: TrainingStep,
    images: ImageSet,
    preprocessing: Preprocessing,
    augmentation: Augmentation | None = None,
) -> Batch:
    """Read a few images, as many as the fills of `step` need."""
    least = max((Refiller.of(view.fill).smallest_batch for view in step.views.values()), default=1)
    device = step.student.head.weight.device
    return sample_batch(images, max(ROWS, least), preprocessing, device, augmentation)


def sheet_draws(seed: int) -> Draw:
    """Return what gives a sheet its generators, which no training draws from."""
    return lambda purpose: generator(seed, f"sheet-{purpose}")


def sample_batch(
    image_set: ImageSet,
    count: int,
    preprocessing: Preprocessing,
    device: torch.device,
    augmentation: Augmentation | None = None,
) -> Batch:
    """Read up to `count` images of as many classes as possible, always the same ones.

    An augmentation changes them by draws of their own.
    """
    indices = one_of_each_class(image_set.labels, count)
    sample = ImageSubset(whole=image_set, indices=tuple(indices), name=image_set.name)
    own = None if augmentation is None else attrs.evolve(augmentation, purpose="sheet-augment")
    rows = [list(range(len(indices)))]
    ((images, labels, _),) = Loader(sample, preprocessing, augmentation=own).load(rows, rows)
    return to_batch(images.to(device), labels.to(device))


def one_of_each_class(labels: Sequence[int], count: int) -> list[int]:
    """Return up to `count` indices, in turns over the classes, the first image of each first."""
    seen: dict[int, int] = {}
    turns = []
    for index, label in enumerate(labels):
        turns.append((seen.get(label, 0), label, index))
        seen[label] = seen.get(label, 0) + 1
    return [index for _, _, index in sorted(turns)[:count]]


@attrs.frozen(eq=False)
class SheetColumn:
    """Hold one column of a sheet.

    `images`: [B, 3, H, W] in 0..1, of which the first rows are drawn. `notes`: a line under each,
    or nothing.
    """

    title: str
    images: Tensor
    notes: tuple[str, ...] = ()


def draw_sheet(outputs: StepOutputs, names: Sequence[str], first: str = _ORIGINAL) -> Figure:
    """Draw a row for each of the first images of the batch, as many as have `names`.

    `first`: what the images of the batch are. Raises ValueError for a step without a mask.
    """
    if not outputs.views:
        raise ValueError("no sheet can be drawn of a step without mask and fill")
    images = outputs.batch.images
    columns, whole = [SheetColumn(first, images)], []
    for label, view in outputs.views.items():
        selection, name = view.selection, "" if label == COUNTERFACTUAL else f"{label}: "
        if selection.scores is not None:
            columns.append(map_column(selection.scores, images, f"{name}map"))
        if hides_all(selection):
            whole.append(f"{name}hidden")
        else:
            columns.append(hidden_column(selection, images, f"{name}hidden"))
        made = f"{name}{COUNTERFACTUAL}" if not name else label
        columns.append(counterfactual_column(view.counterfactual, made))
    return draw_columns(columns, names, whole)


def draw_columns(
    columns: Sequence[SheetColumn], names: Sequence[str], whole: Sequence[str] = ()
) -> Figure:
    """Draw `columns` side by side, with a row for each of `names`.

    `whole`: titles of columns that are left out because they hide everything, told in a line.
    """
    rows = len(names)
    figure = Figure(figsize=(_INCH * len(columns), _INCH * rows), layout="constrained", dpi=120)
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for number, column in enumerate(columns):
        axes[0, number].set_title(shown(column.title), fontsize=9, parse_math=False)
        for row in range(rows):
            _show(axes[row, number], column.images[row])
        for row, note in enumerate(column.notes[:rows]):
            axes[row, number].set_xlabel(shown(note), fontsize=7, labelpad=2, parse_math=False)
    for row, name in enumerate(names):
        words = fill(shown_in_line(name), _LETTERS, max_lines=_LINES, placeholder="...")
        axes[row, 0].set_ylabel(words, fontsize=9, parse_math=False)
    if whole:
        figure.supxlabel(shown(f"not drawn, all is hidden: {', '.join(whole)}"), fontsize=7)
    return figure


def map_column(scores: Tensor, images: Tensor, title: str = "map") -> SheetColumn:
    """Return a map [B, gh, gw] in 0..1 in colours."""
    heat = colormaps["magma"](enlarged(scores, _size(images)).float().cpu().numpy())  # [B, H, W, 4]
    return SheetColumn(title, torch.from_numpy(heat)[..., :3].permute(0, 3, 1, 2))


def hides_all(selection: MaskSelection) -> bool:
    """Tell whether every patch of every image is hidden, of which nothing can be seen."""
    return bool(selection.hidden.all())


def hidden_column(selection: MaskSelection, images: Tensor, title: str = "hidden") -> SheetColumn:
    """Return the images with hidden patches darkened, and how much that is."""
    hidden = enlarged(selection.hidden, _size(images))[:, None]  # [B, 1, H, W]
    shares = selection.hidden.float().mean(dim=(1, 2)).tolist()
    notes = tuple(f"{100 * share:.0f} % hidden" for share in shares)
    return SheetColumn(title, torch.where(hidden, _DARK * images, images), notes)


def counterfactual_column(
    counterfactual: Counterfactual, title: str = "counterfactual"
) -> SheetColumn:
    """Return counterfactual images, dropped patches in grey."""
    images = counterfactual.images
    if counterfactual.dropped is not None:
        dropped = enlarged(counterfactual.dropped, _size(images))[:, None]
        images = images.masked_fill(dropped, _GREY)
    return SheetColumn(title, images)


def _size(images: Tensor) -> tuple[int, int]:
    return images.shape[-2], images.shape[-1]


def _show(axes: Axes, image: Tensor) -> None:
    axes.imshow(image.detach().float().clamp(0, 1).cpu().permute(1, 2, 0).numpy())
    axes.set(xticks=[], yticks=[])
