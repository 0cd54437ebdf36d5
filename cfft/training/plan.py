"""The plan of a run, as people and programs read it before anything expensive happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import torch

from cfft.config.embedded import BEST
from cfft.config.run_config import Chosen, RunConfig
from cfft.data.consistency import alike_names, every_set, one_to_a_text_tower
from cfft.data.decoding import megapixels, side_ratio
from cfft.data.images import passed_over_in
from cfft.data.passed_over import beside_the_sets, spelled
from cfft.data.suite import ImageSet, Suite
from cfft.errors import counted, shortened_list
from cfft.model.pretrained import Pretrained
from cfft.plugin.params import values_of
from cfft.runtime.machine import free_disk, in_bytes
from cfft.runtime.processors import default_workers, processors
from cfft.runtime.progress import Plan
from cfft.step.interfaces import COUNTERFACTUAL, MaskSelector
from cfft.training.batches import NEGLIGIBLE, fuller_batch
from cfft.training.constants import constants_bytes, cost_facts, cost_record, run_constants
from cfft.training.coverage import coverage_warnings, declared_coverage, declared_share
from cfft.training.disk import DiskUse, disk_use
from cfft.training.parameters import layer_scales
from cfft.training.prepare import Prepared
from cfft.training.schedule import Steps
from cfft.training.text_towers import needs_of_terms, terms_with_text

Fact = tuple[str, str, str]
_ALL_CLASSES, _EXTREMES = 12, 3  # up to so many classes are listed, of more the extremes
_AMPLE = 3  # times the disk that a run takes: more is not worth a word
_OF_A_STAGE = ("objective", "training")  # the rest is that of the main run


def make_plan(
    config: RunConfig,
    prepared: Prepared,
    out: Path,
    device: str,
    precision: str,
    stages: Mapping[str, Plan] = MappingProxyType({}),
) -> Plan:
    """Say what a run is going to do; `device` and `precision` are the ones found, not asked for.

    `stages`: the plans of the runs that are trained before it, by name.
    """
    computed_once = constants_bytes(prepared, run_constants(config, prepared))
    use = disk_use(config, prepared, computed_once)
    for plan in reversed([*stages.values()]):
        use = DiskUse(**plan.data["disk"]) + use
    facts = (
        *_stage_facts(stages),
        *_model_facts(config, prepared),
        *_image_facts(config.suite.strategy, prepared),
        *_objective_facts(config, prepared),
        *_training_facts(config, prepared),
        *(("training", *fact) for fact in cost_facts(config, prepared)),
        ("machine", "device", f"{device}, {precision}"),
        ("machine", "processors", _processor_words(config)),
        *_prepared_facts(prepared),
        *_kept_facts(prepared),
        ("machine", "out", str(out)),
        ("machine", "disk", _disk_words(use, out)),
    )
    warnings = (*_stage_warnings(stages), *_warnings(config, prepared))
    data = _data(config, prepared, out, device, precision, warnings)
    data["disk"] = attrs.asdict(use)
    if stages:
        data["stages"] = [{"name": name, **plan.data} for name, plan in stages.items()]
    return Plan(facts, warnings, data)


def _disk_words(use: DiskUse, out: Path) -> str:
    """Spell the disk that a run takes, and what is free where that is not much more."""
    free = free_disk(out)
    left = "" if free is None or free > _AMPLE * use.peak else f"; {in_bytes(free)} are free"
    return f"about {in_bytes(use.kept)}, {in_bytes(use.peak)} while it goes on{left}"


def without_facts(plan: Plan) -> Plan:
    """Return a plan whose facts and warnings have been shown already, for its numbers."""
    return Plan((), (), plan.data)


def _stage_facts(stages: Mapping[str, Plan]) -> Iterator[Fact]:
    for name, plan in stages.items():
        for group, key, value in plan.facts:
            if group in _OF_A_STAGE:
                yield f"stage '{name}'", key, value


def _stage_warnings(stages: Mapping[str, Plan]) -> Iterator[str]:
    for name, plan in stages.items():
        yield from (f"stage '{name}': {warning}" for warning in plan.warnings)


def _model_facts(config: RunConfig, prepared: Prepared) -> Iterator[Fact]:
    yield "model", "architecture", f"{config.architecture} ({config.backbone.name})"
    yield "model", "weights", config.model.pretrained or "the model's own"
    if prepared.pretrained.nest:
        yield "model", "taken from", prepared.pretrained.nest
    yield "model", "images", _images_of(prepared.pretrained)
    yield "model", "head", prepared.description.head
    prompts = prepared.description.prompts
    if prompts:
        more = f" and {len(prompts) - 1} more" if len(prompts) > 1 else ""
        yield "model", "prompts", f"'{prompts[0]}'{more}"


def _images_of(pretrained: Pretrained) -> str:
    """Spell the size of images, and from which grid positional embeddings came to it."""
    height, width = pretrained.preprocessing.size
    size = f"{height} x {width} pixels"
    if pretrained.interpolated_from is None:
        return size
    grids = (pretrained.interpolated_from, pretrained.encoder.grid)
    before, after = (f"{gh}x{gw}" for gh, gw in grids)
    return f"{size}; positional embeddings interpolated from {before} to {after}"


def _image_facts(suite: Suite, prepared: Prepared) -> Iterator[Fact]:
    for role, images in _by_role(prepared):
        size = counted(len(images), "image")
        classes = counted(len(images.classes), "class", "classes")
        yield "images", role, f"{images.name}: {size}, {classes}"
    yield "images", "classes", _class_sizes(_by_class(prepared))
    if prepared.sets.absent:
        yield "images", "absent", f"{shortened_list(prepared.sets.absent)} (not measured)"
    for _, names, why in beside_the_sets(Suite.of(suite).unread()):
        yield "images", "ignored", f"{names} ({why})"
    for name, passed in passed_over_in(every_set(prepared.sets)).items():
        yield "images", "passed over", f"{name}: {spelled(passed)}"
    if prepared.skipped:
        yield "images", "left out", f"{len(prepared.skipped)} unreadable"
    yield "images", "at most", f"{megapixels():,} million pixels, sides up to {side_ratio():,} to 1"


def _by_class(prepared: Prepared) -> list[tuple[str, int]]:
    """Return the name of each training class and its number of training images."""
    train, names = prepared.sets.train, prepared.sets.classes
    counts = Counter(train.labels)
    return [(names[label], counts[label]) for label in train.classes]


def _class_sizes(sizes: Sequence[tuple[str, float]], form: str = ",") -> str:
    """Spell a number for each class, its training images; of many classes the extremes."""
    if len(sizes) <= _ALL_CLASSES:
        return ", ".join(f"{name} {count:{form}}" for name, count in sizes)
    ordered = sorted(sizes, key=lambda size: size[1])
    few, many = (
        ", ".join(f"{name} {count:{form}}" for name, count in some)
        for some in (ordered[:_EXTREMES], ordered[: -_EXTREMES - 1 : -1])
    )
    return f"fewest {few}; most {many}"


def _objective_facts(config: RunConfig, prepared: Prepared) -> Iterator[Fact]:
    if config.origin is not None:
        why = config.origin.reason
        reason = f" in place of {BEST}, as {why}" if why else ""
        yield "objective", "recipe", f"{config.origin.name}{reason}"
    for view in config.all_views():
        own = "" if view.label == COUNTERFACTUAL else f"{view.label}: "
        for chosen in view.strategies():
            yield "objective", f"{own}{chosen.kind}", _spelled(chosen)
        yield "objective", f"{own}hidden", _hidden(view.mask.strategy, prepared)
    yield "objective", "task", _spelled(config.task)
    for chosen in (*config.losses, *config.teachers):
        yield "objective", chosen.kind, _spelled(chosen)
    if any("class.weights" in needs for needs in needs_of_terms(config).values()):
        yield "objective", "class weights", _weighted(prepared)


def _weighted(prepared: Prepared) -> str:
    """Spell how much an image of each class counts; of many classes the extremes."""
    train, names = prepared.sets.train, prepared.sets.classes
    weights = prepared.class_weights.tolist()
    sizes = [(names[label], weights[label]) for label in train.classes]
    each = len(train) / len(set(train.labels))
    spelt = _class_sizes(sizes, ".2f")
    return f"{spelt}: every class counts as {each:,.5g} images"


def _hidden(mask: MaskSelector, prepared: Prepared) -> str:
    patches = _patches(prepared)
    share = declared_share(mask, patches)
    if share is None:
        return "differs between images; measured before training begins"
    return f"{round(share * patches)} of {patches} patches ({100 * share:.0f} %) of every image"


def _patches(prepared: Prepared) -> int:
    gh, gw = prepared.pretrained.encoder.grid
    return gh * gw


def _training_facts(config: RunConfig, prepared: Prepared) -> Iterator[Fact]:
    training, batches, steps = config.training, prepared.batches, prepared.steps
    micro = counted(batches.micro, "image")
    processes = counted(batches.processes, "process", "processes")
    accumulated = f"{batches.accumulation} accumulated = {batches.batch}"
    yield "training", "batch", f"{micro} x {processes} x {accumulated}"
    epochs = counted(training.epochs, "epoch")
    yield "training", "steps", f"{epochs} x {steps.per_epoch} = {steps.total}"
    yield "training", "learning rate", f"{training.lr:g}, {_schedule(training.schedule, steps)}"
    if training.layer_decay < 1:
        blocks = len(prepared.pretrained.encoder.layers().blocks)
        least = layer_scales(blocks, training.layer_decay)[0]
        scales = f"x {training.layer_decay:g} per block below the head"
        yield "training", "layer decay", f"{scales}, down to x {least:.2g} for the embeddings"
    if training.decay_on == "weights":
        beside = "not on norms, biases, class and positional embeddings"
        yield "training", "weight decay", f"{training.weight_decay:g}, {beside}"
    for pattern, names in prepared.frozen.items():
        yield "training", "frozen", f"{pattern}: {counted(len(names), 'parameter')}"
    if training.sampling == "balanced":
        each = batches.images / len(set(prepared.sets.train.labels))
        drawn = f"{each:,.5g} images of each class an epoch on average, small classes repeatedly"
        yield "training", "sampling", f"balanced: {drawn}"
    if prepared.augmentation is not None:
        yield "training", "augmentation", f"{training.augment}, the same for student and teachers"
    for chosen in (config.adaptation, config.average, config.merge):
        if chosen is not None:
            yield "training", chosen.kind, _spelled(chosen)
    if any("student.text" in needs for needs in terms_with_text(config).values()):
        yield "training", "text tower", "trained as well"
    split = "" if config.images_seed == config.seed else f", images split by {config.images_seed}"
    yield "training", "seed", f"{config.seed}{split}"


def _schedule(name: str, steps: Steps) -> str:
    if name == "one-cycle":  # it rises in its own way
        return name
    return f"{counted(steps.warmup, 'step')} of warm-up, then {name}"


def _warnings(config: RunConfig, prepared: Prepared) -> Iterator[str]:
    yield from dict.fromkeys((*prepared.pretrained.warnings, *prepared.warnings))
    yield from prepared.stored.warnings(_unchanged(prepared), prepared.pretrained.preprocessing)
    doubts = (line for images in every_set(prepared.sets) for line in ImageSet.of(images).doubts)
    yield from dict.fromkeys(doubts)
    batches, steps = prepared.batches, prepared.steps
    asked = config.training.batch_size
    if batches.batch < asked:
        yield (
            f"only {batches.images} training images, less than one batch of {asked}: "
            f"every step uses {batches.batch}"
        )
    left_out = batches.images - steps.per_epoch * batches.batch
    if left_out > batches.images // NEGLIGIBLE:
        yield (
            f"each epoch skips {left_out} of {batches.images} training images (different ones each "
            f"time), because only full batches are used{_remedy(config, prepared)}"
        )
    if config.training.schedule != "one-cycle" and 0 < steps.total <= steps.warmup:
        yield (
            f"the warm-up of {steps.warmup} steps does not end before the run "
            f"({steps.total} steps), so the learning rate hardly reaches its peak; "
            "lower --warmup-steps"
        )
    yield from coverage_warnings(config, declared_coverage(config, prepared.pretrained))
    yield from _alike(config, prepared)


def _alike(config: RunConfig, prepared: Prepared) -> Iterator[str]:
    """Warn of names that prompts cannot tell apart, as far as names alone show it."""
    if prepared.description.head != "zero-shot":
        return
    known = Suite.of(config.suite.strategy).shared_names
    for group in alike_names(prepared.sets.classes, known):
        yield one_to_a_text_tower(group)


def _remedy(config: RunConfig, prepared: Prepared) -> str:
    unit = (config.training.micro_batch or 1) * prepared.batches.processes
    found = fuller_batch(prepared.batches.images, config.training.batch_size, unit)
    return f": --batch-size {found} would fit better" if found else ""


def _data(
    config: RunConfig,
    prepared: Prepared,
    out: Path,
    device: str,
    precision: str,
    warnings: tuple[str, ...],
) -> dict[str, Any]:
    batches = prepared.batches
    return {
        "run": str(out),
        "config": config.to_dict(),
        "recipe": None if config.origin is None else attrs.asdict(config.origin),
        "head": prepared.description.head,
        "prompts": list(prepared.description.prompts),
        "sets": [
            {"name": images.name, "role": role, "n": len(images), "classes": len(images.classes)}
            for role, images in _by_role(prepared)
        ],
        "classes": [{"name": name, "n": count} for name, count in _by_class(prepared)],
        "passed_over": {
            name: dict(passed) for name, passed in passed_over_in(every_set(prepared.sets)).items()
        },
        "absent": dict(prepared.sets.absent),
        "skipped": [dict(record) for record in prepared.skipped],
        "bounds": {"megapixels": megapixels(), "side_ratio": side_ratio()},
        "batch": {
            "micro": batches.micro,
            "processes": batches.processes,
            "accumulation": batches.accumulation,
            "effective": batches.batch,
        },
        "steps": attrs.asdict(prepared.steps),
        "hidden": {
            view.label: declared_share(view.mask.strategy, _patches(prepared))
            for view in config.all_views()
        },
        **cost_record(config, prepared),
        "device": device,
        "precision": precision,
        "processors": {
            "available": processors(),
            "threads": torch.get_num_threads(),
            "workers": _workers(config),
        },
        "prepared": [
            {"name": images.name, "n": found.there}
            for images in _unchanged(prepared)
            if (found := prepared.stored.of(images, prepared.pretrained.preprocessing))
        ],
        "kept": [
            {"name": images.name, "bytes": size}
            for images, size in zip(prepared.kept.sets, prepared.kept.sizes, strict=True)
        ],
        "warnings": list(warnings),
    }


def _processor_words(config: RunConfig) -> str:
    threads = counted(torch.get_num_threads(), "thread")
    workers = counted(_workers(config), "decoding worker")
    return f"{processors()}: {threads}, {workers}"


def _prepared_facts(prepared: Prepared) -> Iterator[Fact]:
    for line in prepared.stored.notes(_unchanged(prepared), prepared.pretrained.preprocessing):
        yield "machine", "prepared", line


def _unchanged(prepared: Prepared) -> list[ImageSet]:
    """Return the sets but for training images that an augmentation changes."""
    sets = [images for _, images in _by_role(prepared)]
    return sets if prepared.augmentation is None else sets[1:]


def _kept_facts(prepared: Prepared) -> Iterator[Fact]:
    names = [images.name for images in prepared.kept.sets]
    if names:
        size = f"{sum(prepared.kept.sizes) / 2**20:,.0f} MiB"
        yield "machine", "kept in memory", f"{shortened_list(names)}, once decoded: {size}"


def _workers(config: RunConfig) -> int:
    asked = config.training.workers
    return default_workers() if asked is None else asked


def _by_role(prepared: Prepared) -> Iterator[tuple[str, ImageSet]]:
    sets = prepared.sets
    yield from (("train", sets.train), ("val", sets.val), ("id", sets.test))
    yield from (("ood", images) for images in sets.ood)


def _spelled(chosen: Chosen) -> str:
    given = {k: value for k, value in values_of(chosen.strategy).items() if value != "none"}
    values = ", ".join(f"{key} {_words(value)}" for key, value in given.items())
    name = chosen.name if chosen.label == chosen.name else f"{chosen.label} = {chosen.name}"
    return f"{name} ({values})" if values else name


def _words(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
