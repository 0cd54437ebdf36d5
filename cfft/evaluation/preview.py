"""Sheets that show several strategies side by side on the same images (paper, Figs. 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from cfft.config.run_config import Chosen, RunConfig
from cfft.data.sets import named_sets
from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError
from cfft.evaluation.models.followed import followed_teachers
from cfft.evaluation.models.load import load_for_classes
from cfft.plugin.params import declaration, values_of
from cfft.plugin.registry import Registry
from cfft.records import MaskSelection, Preprocessing
from cfft.runtime.devices import make_accelerator
from cfft.runtime.progress import Reporter, Silent
from cfft.step.interfaces import Cam, Refiller
from cfft.step.passes import CleanPass, FrozenTeacher
from cfft.step.results import refilled, selected
from cfft.training.prepare import augmentation_of
from cfft.training.sheet import (
    AUGMENTED,
    SheetColumn,
    counterfactual_column,
    draw_columns,
    hidden_column,
    hides_all,
    map_column,
    sample_batch,
    sheet_draws,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cfft.data.augmentation import Augmentation
    from cfft.data.suite import ImageSet


@attrs.frozen
class Combination:
    """Hold a map, a mask and a fill that go together; `view`: a further view's label, or empty."""

    cam: Chosen
    mask: Chosen
    fill: Chosen
    view: str = ""

    @classmethod
    def of(cls, config: RunConfig) -> Combination:
        """Return the choices of a configuration; raises ConfigError where something is missing."""
        if config.cam is None or config.mask is None or config.fill is None:
            raise ConfigError("a sheet needs a map, a mask and a fill: give --cam, --mask, --fill")
        return cls(config.cam, config.mask, config.fill)

    @classmethod
    def all_of(cls, config: RunConfig) -> list[Combination]:
        """Return the choices of a configuration and of its further views; raises as `of`."""
        main = cls.of(config)
        further = (cls(v.cam or main.cam, v.mask, v.fill, v.label) for v in config.views)
        return [main, *further]

    def purpose(self, kind: str) -> str:
        """Return what its generators are drawn for, as a training step does."""
        return f"{kind} {self.view}" if self.view else kind

    def heading(self, text: str) -> str:
        """Put the label of the view before a heading."""
        return f"{self.view}: {text}" if self.view else text


def draw_preview(
    configs: Sequence[RunConfig],
    run: Path | None,
    origin: str,
    rows: int,
    registry: Registry,
    reporter: Reporter,
) -> Figure:
    """Draw images of the set `origin` as each configuration's views treat them.

    `configs` are alike in everything else. `run`: where the model is stored, None for the one that
    they start from. Raises CfftErrors.
    """
    config = configs[0]
    accelerator = make_accelerator(config.training.precision)
    classes, (images,) = named_sets(config.suite.strategy, config.seed, [origin])
    found = load_for_classes(run, config, classes, registry, accelerator, reporter)
    combinations = [each for config in configs for each in Combination.all_of(config)]
    classifier = found.classifier.to(accelerator.device)
    teachers = followed_teachers(configs, classes, accelerator, reporter)
    drawn = (combinations, images, classes, found.preprocessing, rows, config.seed)
    augmentation = augmentation_of(config, images, found.preprocessing)
    with accelerator.autocast():
        return preview_sheet(classifier, *drawn, teachers, reporter, augmentation)


def preview_sheet(
    classifier: Classifier,
    combinations: Sequence[Combination],
    images: ImageSet,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    rows: int,
    seed: int,
    teachers: Mapping[str, FrozenTeacher] = MappingProxyType({}),
    reporter: Reporter | None = None,
    augmentation: Augmentation | None = None,
) -> Figure:
    """Draw `rows` images of as many classes as possible: original, maps, masks, counterfactuals.

    Maps are of the true label, from a pass like that of training. A mask that several fills or maps
    share is drawn once. With one combination, the image is that of a run's own sheet with as many
    rows. `teachers`: by label, those that maps or masks follow. Raises what fills raise where there
    are too few images for them. `reporter`: hears how much each mask hides on average.
    `augmentation`: changes the images, which are then drawn before and after it.
    """
    classifier.eval().requires_grad_(False)
    count = max(rows, *(Refiller.of(each.fill.strategy).smallest_batch for each in combinations))
    read = (images, count, preprocessing, classifier.head.weight.device)
    batch = sample_batch(*read, augmentation)
    before = [] if augmentation is None else [SheetColumn("original", sample_batch(*read).images)]
    names = [classes[label] for label in batch.labels.tolist()]
    clean = CleanPass.of(classifier, batch, teachers)
    columns, whole = _columns(clean, combinations, seed, reporter or Silent())
    columns[0] = attrs.evolve(columns[0], title=AUGMENTED) if before else columns[0]
    return draw_columns([*before, *columns], names[:rows], whole)


def _columns(
    clean: CleanPass, combinations: Sequence[Combination], seed: int, reporter: Reporter
) -> tuple[list[SheetColumn], list[str]]:
    """Make the columns of all combinations from left to right, each once.

    Masks that hide everything have no column; their headings come beside. The reporter
    hears how much each mask hides on average.
    """
    several_cams = len({each.cam.strategy for each in combinations}) > 1
    batch, images = clean.batch, clean.batch.images
    maps: dict[Cam, SheetColumn] = {}
    others: dict[tuple[Any, ...], SheetColumn | None] = {}
    whole: list[str] = []
    for each in combinations:
        draw = sheet_draws(seed)
        cam, mask, fill = each.cam, each.mask, each.fill
        seen = clean.seen_by(cam.strategy, draw(each.purpose("mask")))
        selection = selected(mask.strategy, batch, seen)
        notes = []
        if selection.scores is not None:
            notes = [f"of {cam.name}"] if several_cams else []
            heading = title(cam, _changed(cam))
            maps.setdefault(cam.strategy, map_column(selection.scores, images, heading))
        told = title(mask, values_of(mask.strategy), notes)
        hidden, heading = (told, selection.hidden.cpu().numpy().tobytes()), each.heading(told)
        if hidden not in others:
            nothing_left = hides_all(selection)
            others[hidden] = None if nothing_left else hidden_column(selection, images, heading)
            whole += [_one_line(heading)] if nothing_left else []
            reporter.noted(_hides(heading, selection))
        key = (*hidden, fill.strategy)
        if key not in others:
            made = refilled(fill.strategy, batch, selection, draw(each.purpose("fill")))
            heading = each.heading(title(fill, _changed(fill)))
            others[key] = counterfactual_column(made, heading)
    drawn = (column for column in others.values() if column is not None)
    return [SheetColumn("original", images), *maps.values(), *drawn], whole


def _one_line(heading: str) -> str:
    return ", ".join(filter(None, heading.split("\n")))


def _hides(heading: str, selection: MaskSelection) -> str:
    name = _one_line(heading)
    share, count = 100 * selection.hidden.float().mean().item(), len(selection.hidden)
    return f"{name}: hides {share:.0f} % of an image on average ({count} images)"


def title(chosen: Chosen, values: Mapping[str, Any], notes: Sequence[str] = ()) -> str:
    """Describe a strategy in two lines: kind and name, then numeric `values` and `notes`.

    The second line is there even where it is empty, so that headings are alike in height.
    """
    numbers = [
        f"{name.replace('_', ' ')} {value:g}"
        for name, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return f"{chosen.kind} {chosen.name}\n{', '.join([*numbers, *notes])}"


def _changed(chosen: Chosen) -> dict[str, Any]:
    usual = {param.name: param.default for param in declaration(type(chosen.strategy)).params}
    values = values_of(chosen.strategy)
    return {name: value for name, value in values.items() if value != usual[name]}
