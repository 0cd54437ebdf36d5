"""Measure the masks of several models on several sets, for `cfft eval masks`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from cfft.config.comparison import check_agree
from cfft.config.run_config import RunConfig
from cfft.data.sets import named_sets, set_that_differs
from cfft.data.suite import ImageSet
from cfft.errors import ConfigError, unknown_name
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
from cfft.evaluation.models.followed import followed_teachers
from cfft.evaluation.models.load import load_for_classes
from cfft.evaluation.models.subjects import before_name
from cfft.plugin.registry import Registry
from cfft.runtime.devices import make_accelerator, processes_of
from cfft.runtime.json_files import SCHEMA
from cfft.runtime.processes import Processes
from cfft.runtime.progress import Reporter
from cfft.scoring.evaluate import Reading

_COCO = "coco"
_REMEDIES = {
    "suite": "the images with --suite and --data",
    "model": "the model before fine-tuning with --model",
}
_READERS = {"binary": read_binary, "trimap": read_trimap}


@attrs.frozen
class ObjectSource:
    """Hold the sets to measure and the source of their segmentations.

    `sets`: train, test, or names of sets. `masks`: PNG files or a JSON file in `form` (binary,
    trimap or coco); None where the sets know it themselves. `limit`: images per set, by class.
    """

    sets: tuple[str, ...]
    masks: Path | None = None
    form: str = "binary"
    limit: int | None = None


def measure_models(
    configs: Sequence[RunConfig],
    models: Mapping[str, Path | None],
    runs: Mapping[str, RunConfig],
    objects: ObjectSource,
    batch_size: int,
    registry: Registry,
    reporter: Reporter,
) -> dict[str, Any]:
    """Return the figures of every model, set and mask as plain values.

    `configs`: one for each mask and map, alike in everything else. `models`: by label, where each
    is stored; None is the model that the configuration starts from, which is named by its head.
    `runs`: by label, how each was configured, options on top. Raises CfftErrors.
    """
    _check_shared(runs, objects, before=None in models.values())
    config = configs[0]
    accelerator = make_accelerator(config.training.precision)
    _check_alone(processes_of(accelerator))
    classes, images = named_sets(config.suite.strategy, config.seed, objects.sets)
    sets = [_segmented(each, objects, classes, config.seed) for each in images]
    masks = [_cut_map(each) for each in configs]
    teachers = followed_teachers(configs, classes, accelerator, reporter)
    records: list[dict[str, Any]] = []
    for label, path in models.items():
        model = load_for_classes(path, config, classes, registry, accelerator, reporter)
        name = before_name(model.description.head) if path is None else label
        reading = Reading(model.preprocessing, batch_size, config.training.workers)
        for segmented in sets:
            own, count = segmented.images.name, len(segmented.images)
            measured = (model.classifier, segmented, masks, reading, accelerator, config.seed)
            with reporter.task(f"measuring masks on {own}", count) as advance:
                figures = measure_masks(*measured, advance, teachers)
            found = summary(figures, masks, segmented)
            records += [{"model": name, "set": own, **record} for record in found]
    return {"schema": SCHEMA, **_settings(configs, objects), "masks": records}


def _check_shared(runs: Mapping[str, RunConfig], objects: ObjectSource, before: bool) -> None:
    """Raise ConfigError unless runs can be measured on the same images.

    They have to agree on the suite and on the images of the sets, which may depend on the seed;
    where the model `before` fine-tuning is measured too, on that model.
    """
    configs = {label: config.to_dict() for label, config in runs.items()}
    for table, remedy in _REMEDIES.items():
        if before or table == "suite":
            check_agree(configs, table, f"choose {remedy}, or measure one run at a time")
    seeds = {config.seed: label for label, config in runs.items()}
    suites = [config.suite.strategy for config in runs.values()]
    name = set_that_differs(suites[0], seeds, objects.sets) if len(seeds) > 1 else None
    if name is not None:
        told = ", ".join(f"{label}: {seed}" for seed, label in seeds.items())
        raise ConfigError(
            f"set '{name}' has different images for different seeds ({told}): measure one run at a "
            "time, or choose the images with --seed"
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


def _cut_map(config: RunConfig) -> CutMap:
    if config.mask is None or config.cam is None:
        raise ConfigError("no mask or map is chosen: give --mask NAME and --cam NAME")
    mask = config.mask.strategy
    return CutMap(config.cam.name, mask.threshold, config.cam.strategy, mask)


def _settings(configs: Sequence[RunConfig], objects: ObjectSource) -> dict[str, Any]:
    told = [config.to_dict() for config in configs]
    return {
        "suite": told[0]["suite"],
        "seed": told[0]["seed"],
        "mask": told[0]["mask"]["use"],
        "cams": list({each["cam"]["use"]: each["cam"] for each in told}.values()),
        "map_of": "the true label, as in training",
        "segmentations": None if objects.masks is None else str(objects.masks.resolve()),
        "mask_format": None if objects.masks is None else objects.form,
    }


def _segmented(
    images: ImageSet, objects: ObjectSource, classes: tuple[str, ...], seed: int
) -> Segmented:
    if objects.masks is None:
        known = own_segmentations(images)
    elif objects.form == _COCO:
        known = coco_segmentations(images, objects.masks, classes)
    elif objects.form in _READERS:
        known = mask_files(images, objects.masks, _READERS[objects.form])
    else:
        raise ConfigError(unknown_name("--mask-format", objects.form, [*_READERS, _COCO]))
    return known if objects.limit is None else drawn(known, objects.limit, seed)
