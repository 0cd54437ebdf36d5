"""Declare a strategy once: its command-line options, TOML keys, checks and docs all follow."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import (
    Any,
    Literal,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs
import cattrs

from cfft.errors import ConfigError, several, unknown
from cfft.interfaces import KINDS

T = TypeVar("T")
_METADATA = "cfft"
_DECLARATION = "__cfft_declaration__"


@attrs.frozen
class Param:
    """Describe one parameter of a strategy.

    `given`: other defaults by context. A key is a kind ("fill") or an earlier parameter of the
    same strategy; its value maps the chosen name or value to the default that then holds.
    """

    name: str
    type: Any
    default: Any
    help: str
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    given: Mapping[str, Mapping[Any, Any]] = attrs.field(factory=dict)

    @property
    def required(self) -> bool:
        """Tell whether the user has to give a value."""
        return self.default is attrs.NOTHING

    @property
    def choices(self) -> tuple[Any, ...]:
        """List the allowed values of a Literal, else nothing."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    @property
    def type_name(self) -> str:
        """Name the type as help texts print it."""
        if self.choices:
            return "|".join(map(str, self.choices))
        names = [_type_name(part) for part in _union_parts(self.type)]
        return "|".join(name for name in names if name != "none")

    @property
    def allowed(self) -> str:
        """Describe the allowed range in words, empty where every value is."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        bounds = ((">=", self.ge), (">", self.gt), ("<=", self.le), ("<", self.lt))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)

    def parse(self, value: Any) -> Any:
        """Convert a TOML value or command-line text; raises ValueError saying what is allowed."""
        try:
            converted = _CONVERTER.structure(value, self.type)
        except Exception as error:  # cattrs wraps what its hooks raise in types of its own
            raise ValueError(f"got {value!r}, allowed: {self.allowed or self.type_name}") from error
        if not self._in_range(converted):
            raise ValueError(f"got {value!r}, allowed: {self.allowed}")
        return converted

    def _in_range(self, value: Any) -> bool:
        if value is None or isinstance(value, str):
            return True
        return (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )

    def default_in(self, context: Mapping[str, Any]) -> Any:
        """Return the default that holds where `context` maps kinds and parameters to choices."""
        for key, table in self.given.items():
            if key in context and context[key] in table:
                return table[context[key]]
        return self.default


@attrs.frozen
class Declaration:
    """Describe a strategy: everything that listings, options and checks are made from."""

    kind: str
    name: str
    summary: str
    cls: type[Any]
    params: tuple[Param, ...]

    def param(self, name: str) -> Param | None:
        """Return the parameter called `name`, or None."""
        return next((p for p in self.params if p.name == name), None)

    def build(self, values: Mapping[str, Any], context: Mapping[str, str]) -> Any:
        """Make the strategy; raises ConfigError listing every bad value by KIND.NAME.PARAM.

        `values` are raw (TOML values or text); what they lack is defaulted by `context`, the
        chosen name of each kind.
        """
        problems = [self._surplus(name) for name in values if self.param(name) is None]
        parsed: dict[str, Any] = {}
        for param in self.params:
            value = values.get(param.name, param.default_in({**context, **parsed}))
            if value is attrs.NOTHING:
                problems.append(f"{self._path(param.name)} is missing: {param.help}")
                continue
            try:
                parsed[param.name] = param.parse(value)
            except ValueError as error:
                problems.append(f"{self._path(param.name)} {error}")
        if problems:
            raise ConfigError(several(problems))
        return self.cls(**parsed)

    @property
    def path(self) -> str:
        """Spell the prefix of its parameters: `mask.object`, `training`."""
        return f"{self.kind}.{self.name}" if self.name else self.kind

    def _path(self, param: str) -> str:
        return f"{self.path}.{param}:"

    def _surplus(self, name: str) -> str:
        message = unknown("parameter", name, [p.name for p in self.params])
        return f"{self.path}: {message}"


def param(
    default: Any = attrs.NOTHING,
    *,
    help: str,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    given: Mapping[str, Mapping[Any, Any]] | None = None,
) -> Any:
    """Declare a parameter of a strategy with its default, help text and range.

    Without a default the user has to give a value. Allowed types: bool, int, float, str, Path,
    Literal, tuples of these, and any of them or None. `given` holds other defaults by context:
    `given={"fill": {"multi": 0.6}}`.
    """
    limits = {"help": help, "ge": ge, "gt": gt, "le": le, "lt": lt, "given": given or {}}
    return attrs.field(default=default, kw_only=True, metadata={_METADATA: limits})


def declaration(cls: type[Any]) -> Declaration:
    """Return the declaration of a strategy class; raises TypeError for any other class."""
    found = cls.__dict__.get(_DECLARATION)
    if not isinstance(found, Declaration):
        kinds = ", ".join(f"@cfft.{kind}" for kind in KINDS)
        raise TypeError(f"{cls!r} is no strategy: decorate the class with one of {kinds}")
    return found


def values_of(strategy: Any) -> dict[str, Any]:
    """Return the parameters of a strategy as TOML can hold them; None is left out."""
    params = declaration(type(strategy)).params
    values = {p.name: _CONVERTER.unstructure(getattr(strategy, p.name)) for p in params}
    return {name: value for name, value in values.items() if value is not None}


def _declare(kind: str, name: str, cls: type[T]) -> type[T]:
    method = KINDS[kind].method
    if not callable(getattr(cls, method, None)):
        raise TypeError(f"{kind} '{name}' ({cls.__qualname__}) has no method {method}()")
    return _freeze(kind, name, cls)


def _freeze(kind: str, name: str, cls: type[T]) -> type[T]:
    summary = (inspect.getdoc(cls) or "").split("\n")[0]
    frozen: Any = attrs.frozen(cls, slots=False)
    hints = get_type_hints(frozen)
    params = tuple(
        Param(name=a.name, type=hints[a.name], default=a.default, **a.metadata[_METADATA])
        for a in attrs.fields(frozen)
        if _METADATA in a.metadata
    )
    setattr(frozen, _DECLARATION, Declaration(kind, name, summary, frozen, params))
    return cast(type[T], frozen)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def settings(table: str) -> Callable[[type[T]], type[T]]:
    """Declare a TOML table of the run's own settings in the way strategies are declared."""
    return lambda cls: _freeze(table, "", cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def mask(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a mask: a class with `select(batch, view) -> MaskSelection`."""
    return lambda cls: _declare("mask", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def fill(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a fill: a class with `refill(batch, selection, rng) -> Counterfactual`."""
    return lambda cls: _declare("fill", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def cam(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a class activation map: a class with `explain(batch, view) -> scores`."""
    return lambda cls: _declare("cam", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def teacher(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a teacher: a class with `load(source) -> Classifier`."""
    return lambda cls: _declare("teacher", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def loss(name: str) -> Callable[[type[T]], type[T]]:
    """Declare an auxiliary loss: a class with `measure(outputs) -> scalar`, and a `weight`."""
    return lambda cls: _declare("loss", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def backbone(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a backbone: a class with `build(name, weights) -> Pretrained`."""
    return lambda cls: _declare("backbone", name, cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(param,))
def suite(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a suite: a class with `open(seed) -> SuiteSets`."""
    return lambda cls: _declare("suite", name, cls)


def _union_parts(annotation: Any) -> tuple[Any, ...]:
    union = get_origin(annotation) in (typing.Union, types.UnionType)
    return get_args(annotation) if union else (annotation,)


def _type_name(annotation: Any) -> str:
    if annotation is type(None):
        return "none"
    if get_origin(annotation) is tuple:
        return "/".join(_type_name(a) for a in get_args(annotation) if a is not ...)
    return "path" if annotation is Path else getattr(annotation, "__name__", str(annotation))


def _to_bool(value: Any, _: Any) -> bool:
    words = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    if not isinstance(value, bool):
        raise ValueError("no boolean")
    return value


def _to_int(value: Any, _: Any) -> int:
    if isinstance(value, (bool, float)):
        raise ValueError("no whole number")
    return int(value)


def _to_float(value: Any, _: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("no number")
    number = float(value)
    if number != number:
        raise ValueError("not a number")
    return number


def _to_str(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


def _to_path(value: Any, _: Any) -> Path:
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("no path")
    return Path(value).expanduser()


def _to_literal(value: Any, annotation: Any) -> Any:
    for choice in get_args(annotation):
        if value == choice or value == str(choice):
            return choice
    raise ValueError("no choice")


def _to_tuple(value: Any, annotation: Any) -> tuple[Any, ...]:
    parts = value.replace(",", "/").split("/") if isinstance(value, str) else list(value)
    wanted: Sequence[Any] = get_args(annotation)
    if len(wanted) == 2 and wanted[1] is ...:
        wanted = [wanted[0]] * len(parts)
    if len(parts) != len(wanted):
        raise ValueError("another number of values")
    return tuple(_CONVERTER.structure(part, kind) for part, kind in zip(parts, wanted, strict=True))


def _to_optional(value: Any, annotation: Any) -> Any:
    if value is None or (isinstance(value, str) and value.lower() == "none"):
        return None
    inner = [part for part in get_args(annotation) if part is not type(None)]
    for part in inner:
        try:
            return _CONVERTER.structure(value, part)
        except Exception:  # the next member of the union may take it
            continue
    raise ValueError("no member of the union takes it")


def _has_origin(origin: Any) -> Callable[[Any], bool]:
    return lambda annotation: get_origin(annotation) is origin


def _converter() -> cattrs.Converter:
    made = cattrs.Converter(detailed_validation=False)
    for kind, hook in (
        (bool, _to_bool),
        (int, _to_int),
        (float, _to_float),
        (str, _to_str),
        (Path, _to_path),
    ):
        made.register_structure_hook(kind, hook)
    made.register_structure_hook_func(_has_origin(Literal), _to_literal)
    made.register_structure_hook_func(_has_origin(tuple), _to_tuple)
    made.register_structure_hook_func(lambda a: len(_union_parts(a)) > 1, _to_optional)
    made.register_unstructure_hook(Path, str)
    made.register_unstructure_hook(tuple, list)
    return made


_CONVERTER = _converter()
