"""The decorators that declare strategies, one for each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, dataclass_transform

from cfft.plugin.params import declare, freeze, param

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def settings(table: str) -> Callable[[type[T]], type[T]]:
    """Declare a TOML table of the run's own settings in the way strategies are declared."""
    return lambda cls: freeze(table, "", cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def mask(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a mask: a class with `select(batch, view) -> MaskSelection`."""
    return lambda cls: declare("mask", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def fill(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a fill: a class with `refill(batch, selection, rng) -> Counterfactual`."""
    return lambda cls: declare("fill", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def cam(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a class activation map: a class with `explain(batch, view) -> scores`."""
    return lambda cls: declare("cam", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def teacher(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a teacher: a class with `load(source) -> Classifier`."""
    return lambda cls: declare("teacher", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def loss(name: str) -> Callable[[type[T]], type[T]]:
    """Declare an auxiliary loss: a class with `measure(outputs) -> scalar`, and a `weight`."""
    return lambda cls: declare("loss", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def task(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a task, learnt from the labels: a class with `measure(outputs) -> scalar`."""
    return lambda cls: declare("task", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def adaptation(name: str) -> Callable[[type[T]], type[T]]:
    """Declare an adaptation: a class with `attach(model, rng) -> parameters to train`."""
    return lambda cls: declare("adaptation", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def average(name: str) -> Callable[[type[T]], type[T]]:
    """Declare an average of weights: a class with `weigh(step, steps) -> share of the newest`."""
    return lambda cls: declare("average", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def merge(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a merge of models: a class with `merge(start, tuned, score) -> weights`."""
    return lambda cls: declare("merge", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def backbone(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a backbone: a class with `build(name, weights) -> Pretrained`."""
    return lambda cls: declare("backbone", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def suite(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a suite: a class with `open(seed) -> SuiteSets`."""
    return lambda cls: declare("suite", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def exporter(name: str) -> Callable[[type[T]], type[T]]:
    """Declare an exporter: a class with `export(model, folder)` and `reload(folder)`."""
    return lambda cls: declare("exporter", name, cls)
