"""Paths through the parameters of a merge: one of them may have several values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from cfft.errors import ConfigError, counted
from cfft.plugin.conversion import union_parts
from cfft.plugin.params import Declaration, Param
from cfft.plugin.registry import Registry

FORM = "START:STOP:STEP tries several"
_MOST = 1000
_SHARE = "alpha"


@attrs.frozen
class PathPoint:
    """Hold a merge with its name among others; `value`: what the varied parameter has."""

    name: str
    strategy: Any
    param: str | None = None
    value: float | None = None

    @property
    def alpha(self) -> float | None:
        """The share of the fine-tuned weights where that is what varies, else None."""
        return self.value if self.param == _SHARE else None


def is_varied(param: Param) -> bool:
    """Tell whether a path may vary a parameter: a number, which may also be none."""
    return any(part in (int, float) for part in union_parts(param.type))


def merge_path(registry: Registry, name: str, values: Mapping[str, Any]) -> list[PathPoint]:
    """Return the merge called `name`, once for each value of a parameter with several.

    `values`: raw, by parameter; a number may be START:STOP:STEP or X,X,... Raises ConfigError for
    bad values, and where two parameters have several.
    """
    declared = registry.declaration("merge", name)
    several = {
        param.name: list(_values(declared, param, str(values[param.name])))
        for param in declared.params
        if is_varied(param) and {":", ","} & {*str(values.get(param.name, ""))}
    }
    if len(several) > 1:
        given = " and ".join(map(declared.option, several))
        raise ConfigError(f"{given}: only one parameter may have several values")
    if not several:
        return [PathPoint(name, registry.build("merge", name, values, {}))]
    ((param_name, numbers),) = several.items()
    return [_point(registry, name, values, param_name, number) for number in numbers]


def _point(
    registry: Registry, name: str, values: Mapping[str, Any], param: str, number: float
) -> PathPoint:
    own = {**values, param: f"{number:g}"}
    return PathPoint(f"{param}={number:g}", registry.build("merge", name, own, {}), param, number)


def _values(declared: Declaration, param: Param, text: str) -> Iterator[float]:
    """Give the numbers of START:STOP:STEP, both ends included, or of X,X,..."""
    option = declared.option(param.name)
    try:
        if ":" not in text:
            yield from dict.fromkeys(float(part) for part in text.split(","))
            return
        start, stop, step = map(float, text.split(":"))
        count = int((stop - start) / step + 1e-9) + 1
        reached = start + (count - 1) * step
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ConfigError(
            f"{option}: got '{text}', allowed: {param.allowed}, X,X,... or START:STOP:STEP"
        ) from None
    if not 1 <= count <= _MOST:
        raise ConfigError(
            f"{option} {text} has {counted(max(0, count), 'value')}, allowed: 1 to {_MOST:,}"
        )
    if abs(reached - stop) > 1e-6 * max(1.0, abs(stop)):
        raise ConfigError(
            f"{option} {text} does not reach {stop:g}, its last value is {reached:g}: choose a "
            "STEP that divides the range, or list the values X,X,..."
        )
    yield from (round(start + number * step, 10) for number in range(count))
