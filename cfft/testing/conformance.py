"""Check that a strategy keeps the rules of its kind: `check_strategy(MyMask)` in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from cfft.data.suite import Suite
from cfft.errors import ConfigError, unknown_name
from cfft.model.exporter import Exporter
from cfft.model.interfaces import Adaptation, Average, Merge
from cfft.plugin.interface import Interface, misspelling
from cfft.plugin.params import Declaration, declaration, values_of
from cfft.step.interfaces import AuxLoss, Cam, MaskSelector, Refiller, Task, Teacher
from cfft.testing.adaptation_kind import check_adaptation
from cfft.testing.exporter_kind import check_exporter
from cfft.testing.guard import must
from cfft.testing.model_kinds import check_backbone, check_suite, check_teacher
from cfft.testing.step_kinds import check_cam, check_fill, check_loss, check_mask, check_task
from cfft.testing.weight_kinds import check_average, check_merge

_SUMMARY_LENGTH = 80
_BEHAVIOUR: Mapping[str, Callable[..., None]] = {
    "mask": check_mask,
    "fill": check_fill,
    "cam": check_cam,
    "task": check_task,
    "loss": check_loss,
    "adaptation": check_adaptation,
    "average": check_average,
    "merge": check_merge,
    "teacher": check_teacher,
    "backbone": check_backbone,
    "suite": check_suite,
    "exporter": check_exporter,
}
_BASES: Mapping[str, type[Interface]] = {
    "mask": MaskSelector,
    "fill": Refiller,
    "cam": Cam,
    "teacher": Teacher,
    "task": Task,
    "loss": AuxLoss,
    "adaptation": Adaptation,
    "average": Average,
    "merge": Merge,
    "suite": Suite,
    "exporter": Exporter,
}


def check_strategy(cls: type[Any], values: Mapping[str, Any] | None = None, **inputs: Any) -> None:
    """Raise AssertionError, naming the strategy, unless it keeps every rule of its kind.

    `values` are parameters to run it with; the others have their defaults. None takes those of the
    strategy's own `example`, a class method, where it has one. A backbone needs the input `model`,
    a name to build, and may have `weights`; an exporter may have `model`, an ExportSource. The
    declaration is checked, and on tiny
    images with a non-square grid: shapes, dtypes and ranges of results; that the same random
    generator gives the same result; that inputs, models and global state are not changed.
    """
    declared = declaration(cls)
    who = f"{declared.kind} '{declared.name}'"
    check_declaration(cls)
    with TemporaryDirectory() as folder:
        given = example_of(declared, Path(folder)) if values is None else values
        strategy = _built(who, declared, given)
        _BEHAVIOUR[declared.kind](who, strategy, **inputs)


def example_of(declared: Declaration, folder: Path) -> Mapping[str, Any]:
    """Return the values that a strategy brings for its own check; it may write into `folder`."""
    example = getattr(declared.cls, "example", None)
    return {} if example is None else example(folder)


def check_declaration(cls: type[Any]) -> None:
    """Raise AssertionError for a bad summary, a missing help text or a misspelt member.

    Types, defaults and ranges are checked where the class is decorated.
    """
    declared = declaration(cls)
    who = f"{declared.kind} '{declared.name}'"
    must(
        0 < len(declared.summary) < _SUMMARY_LENGTH,
        f"{who}: the doc-string's first line must have 1 to {_SUMMARY_LENGTH - 1} characters",
    )
    for param in declared.params:
        must(bool(param.help.strip()), f"{who}, parameter '{param.name}' has no help text")
    names = [param.name for param in declared.params]
    if declared.kind in _BASES:
        problem = misspelling(declared.cls, _BASES[declared.kind], names)
        must(problem is None, f"{who} {problem}")
    if declared.kind == "suite":
        for name in Suite.of(declared.cls).only_measured:
            must(name in names, f"{who}, only_measured: {unknown_name('parameter', name, names)}")


def _built(who: str, declared: Declaration, values: Mapping[str, Any]) -> Any:
    try:
        strategy = declared.build(values, {})
    except ConfigError as error:
        message = f"{who} cannot be made; give check_strategy values: {error}"
        raise AssertionError(message) from error
    again = declared.build(values_of(strategy), {})
    same = attrs.asdict(again) == attrs.asdict(strategy)
    must(same, f"{who} differs after its parameters were written to TOML and read")
    return strategy
