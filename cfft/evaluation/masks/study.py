"""Measure the masks of several models on several sets: what `cfft eval masks` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cfft.config.comparison import check_agree
from cfft.config.resolve import RunConfig
from cfft.data.sets import named_sets, set_that_differs
from cfft.data.suite import ImageSet, Suite
from cfft.errors import ConfigError, unknown
from cfft.evaluation.masks.coco import coco_segmentations
from cfft.evaluation.masks.measuring import CutMap, measure_masks, summary
from cfft.evaluation.masks.segmentations import (
    Segmented,
    drawn,
    mask_files,
    own_segmentations,
    read_binary,
    read_trimap,
)
from cfft.evaluation.models.load import load_for_classes
from cfft.evaluation.models.subjects import before_name
from cfft.plugin.registry import Registry
from cfft.runtime.devices import make_accelerator, processes_of
from cfft.runtime.processes import Processes
from cfft.runtime.progress import Reporter
from cfft.scoring.evaluate import Reading
from cfft.scoring.loaded_model import LoadedModel

if TYPE_CHECKING:
    from accelerate import Accelerator

SCHEMA = 1
_COCO = "coco"
_REMEDIES = {
    "suite": "--suite and --data which images are meant",
    "model": "--model which one is meant by zero-shot",
}
_READERS = {"binary": read_binary, "trimap": read_trimap}


@attrs.frozen
class Wanted:
    """Say which images are measured and where their objects are known from.

    `sets`: train, test, or names of sets. `masks`: PNG files or a JSON file in `form` (binary,
    trimap or coco); None where the sets know it themselves. `limit`: images a set, by class.
    """

    sets: tuple[str, ...]
    masks: Path | None = None
    form: str = "binary"
    limit: int | None = None


def measure_models(
    configs: Sequence[RunConfig],
    models: Mapping[str, Path | None],
    runs: Mapping[str, RunConfig],
    wanted: Wanted,
    batch_size: int,
    registry: Registry,
    reporter: Reporter,
) -> dict[str, Any]:
    """Return the figures of every model, set and mask as plain values.

    `configs`: one for each mask and map, alike in everything else. `models`: by label, where each
    is stored; None is the model that the configuration starts from, which is named by its head.
    `runs`: as in `check_shared`. Raises CfftErrors.
    """
    check_shared(runs, wanted, before=None in models.values())
    config = configs[0]
    suite: Suite = config.suite.strategy
    accelerator = make_accelerator(config.training.precision)
    _check_alone(processes_of(accelerator))
    classes, sets = segmented_sets(suite, wanted, config.seed)
    study = MaskStudy(
        sets, [cut_map(each) for each in configs], batch_size, config.training.workers,
        config.seed, accelerator, reporter,
    )  # fmt: skip
    found: list[dict[str, Any]] = []
    for label, path in models.items():
        model = load_for_classes(path, config, classes, registry, accelerator, reporter)
        name = before_name(model.description.head) if path is None else label
        found += study.records(name, model)
    return {"schema": SCHEMA, **_settings(configs, wanted), "masks": found}


def check_shared(runs: Mapping[str, RunConfig], wanted: Wanted, before: bool) -> None:
    """Raise ConfigError unless runs can be measured on the same images.

    `runs`: by label, how each was configured, options on top. They have to agree on the suite and
    on the images of the wanted sets, which may depend on the seed; where the model `before`
    fine-tuning is measured too, on that model.
    """
    configs = {label: config.to_dict() for label, config in runs.items()}
    for table, remedy in _REMEDIES.items():
        if before or table == "suite":
            check_agree(configs, table, f"say with {remedy}, or measure one run at a time")
    seeds = {config.seed: label for label, config in runs.items()}
    name = None
    if len(seeds) > 1:
        suite = next(iter(runs.values())).suite.strategy
        name = set_that_differs(suite, seeds, wanted.sets)
    if name is not None:
        told = ", ".join(f"{label}: {seed}" for seed, label in seeds.items())
        raise ConfigError(
            f"set '{name}' has other images with another seed ({told}): measure one run at a "
            "time, or say with --seed which images are meant"
        )


def _check_alone(processes: Processes) -> None:
    """Raise ConfigError on the main one of several processes, OtherProcessError on the others."""

    def refuse() -> None:
        raise ConfigError(
            f"masks are measured by one process, and there are {processes.count}: start "
            "cfft eval masks without a launcher"
        )

    if processes.count > 1:
        processes.on_main(refuse)


def cut_map(config: RunConfig) -> CutMap:
    """Return the map and mask of a configuration; raises ConfigError unless it has both."""
    if config.mask is None or config.cam is None:
        raise ConfigError("no mask or map is chosen: give --mask NAME and --cam NAME")
    mask = config.mask.strategy
    return CutMap(config.cam.name, mask.threshold, config.cam.strategy, mask)


def segmented_sets(
    suite: Suite, wanted: Wanted, seed: int
) -> tuple[tuple[str, ...], list[Segmented]]:
    """Return the class names and the images of each set whose objects are known.

    Raises DataError for a set that is absent or knows no objects, ConfigError for a bad limit.
    """
    classes, images = named_sets(suite, seed, wanted.sets)
    return classes, [_segmented(each, wanted, classes, seed) for each in images]


@attrs.frozen(eq=False)
class MaskStudy:
    """Hold what is the same for every model: images, masks and how they are read."""

    sets: Sequence[Segmented]
    masks: Sequence[CutMap]
    batch_size: int
    workers: int
    seed: int
    accelerator: Accelerator
    reporter: Reporter

    def records(self, label: str, model: LoadedModel) -> list[dict[str, Any]]:
        """Return a record for each set and mask of one model, with `label` and the set's name."""
        reading = Reading(model.preprocessing, self.batch_size, self.workers)
        return [
            {"model": label, "set": segmented.images.name, **record}
            for segmented in self.sets
            for record in self._of_set(model, segmented, reading)
        ]

    def _of_set(
        self, model: LoadedModel, segmented: Segmented, reading: Reading
    ) -> list[dict[str, Any]]:
        task = f"measuring masks on {segmented.images.name}"
        with self.reporter.task(task, len(segmented.images)) as advance:
            figures = measure_masks(
                model.classifier, segmented, self.masks, reading, self.accelerator, self.seed,
                advance,
            )  # fmt: skip
        return summary(figures, self.masks, segmented)


def _settings(configs: Sequence[RunConfig], wanted: Wanted) -> dict[str, Any]:
    told = [config.to_dict() for config in configs]
    return {
        "suite": told[0]["suite"],
        "seed": told[0]["seed"],
        "mask": told[0]["mask"]["use"],
        "cams": list({each["cam"]["use"]: each["cam"] for each in told}.values()),
        "map_of": "the true label, as in training",
        "segmentations": None if wanted.masks is None else str(wanted.masks.resolve()),
        "mask_format": None if wanted.masks is None else wanted.form,
    }


def _segmented(images: ImageSet, wanted: Wanted, classes: tuple[str, ...], seed: int) -> Segmented:
    if wanted.masks is None:
        known = own_segmentations(images)
    elif wanted.form == _COCO:
        known = coco_segmentations(images, wanted.masks, classes)
    elif wanted.form in _READERS:
        known = mask_files(images, wanted.masks, _READERS[wanted.form])
    else:
        raise ConfigError(unknown("--mask-format", wanted.form, [*_READERS, _COCO]))
    return known if wanted.limit is None else drawn(known, wanted.limit, seed)
