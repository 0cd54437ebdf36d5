"""Declare a strategy once: its command-line options, TOML keys, checks and docs all follow."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import getattr_static
from operator import ge, gt, le, lt
from typing import (
    Any,
    Literal,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs

from cfft.errors import ConfigError, unknown_name
from cfft.plugin.conversion import (
    convert,
    is_supported,
    plain,
    separator,
    type_name,
    type_words,
    union_parts,
    words,
)
from cfft.plugin.kinds import KINDS, OPTIONAL, SEVERAL, Kind

T = TypeVar("T")
_METADATA = "cfft"
_DECLARATION = "__cfft_declaration__"
NAME = "[A-Za-z0-9][A-Za-z0-9_-]*"
_TAKEN = tuple((kind, "none") for kind in (*SEVERAL, *OPTIONAL))
_RESERVED = {
    "use": "TOML tables use it themselves",
    "label": "TOML tables use it themselves",
    "help": "--help shows the help",
    "help_all": "--help-all shows the help",
}
_LONGEST_SAID = 80


@attrs.frozen
class Param:
    """Describe one parameter of a strategy; --help leaves those that are `rare` to --help-all.

    `given`: other defaults by context. A key is a kind ("fill") or an earlier parameter of the
    same strategy; its value maps the chosen name or value to the default that then holds, `...`
    standing for every value but none.
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
    rare: bool = False

    @property
    def required(self) -> bool:
        """Tell whether the user has to give a value."""
        return self.default is attrs.NOTHING

    @property
    def choices(self) -> tuple[Any, ...]:
        """List the allowed values of a Literal, which may also be none, else nothing."""
        members = [part for part in union_parts(self.type) if part is not type(None)]
        return get_args(members[0]) if [get_origin(m) for m in members] == [Literal] else ()

    @property
    def type_name(self) -> str:
        """Name the type as help texts print it."""
        return type_name(self.type)

    @property
    def bounds(self) -> str:
        """Spell the range of numbers, empty where every one is allowed."""
        if self.ge is not None and self.le is not None:
            return f"from {_spelled(self.ge)} to {_spelled(self.le)}"
        return " and ".join(f"{sign} {_spelled(limit)}" for sign, _, limit in self._limits)

    @property
    def _limits(self) -> list[tuple[str, Callable[[Any, Any], bool], float]]:
        limits = ((">=", ge, self.ge), (">", gt, self.gt), ("<=", le, self.le), ("<", lt, self.lt))
        return [(sign, holds, limit) for sign, holds, limit in limits if limit is not None]

    @property
    def allowed(self) -> str:
        """Describe the allowed values in words."""
        none = ", or none" if type(None) in union_parts(self.type) else ""
        return " ".join(filter(None, [type_words(self.type), self.bounds, self._form])) + none

    @property
    def _form(self) -> str:
        """Show the form of a series, by its default where it has one."""
        if not any(get_origin(part) is tuple for part in union_parts(self.type)):
            return ""
        given = self.default if isinstance(self.default, tuple) else ()
        between = separator(self.type)
        return f"such as {self.spell(given)}" if len(given) > 1 else f"with {between} between"

    def spell(self, value: Any) -> str:
        """Spell a value as the command line takes it."""
        return words(value, separator(self.type))

    def parse(self, value: Any) -> Any:
        """Convert a TOML value or command-line text; raises ValueError saying what is allowed."""
        with suppress(Exception):
            if self._in_range(converted := convert(value, self.type)):
                return converted
        raise ValueError(f"got {_shortened(value)}, allowed: {self.allowed}")

    def _in_range(self, value: Any) -> bool:
        if isinstance(value, tuple):
            return all(map(self._in_range, value))
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return True
        return all(holds(value, limit) for _, holds, limit in self._limits)

    def default_in(self, context: Mapping[str, Any]) -> Any:
        """Return the default that holds where `context` maps kinds and parameters to choices."""
        for key, table in self.given.items():
            if key in context and context[key] in table:
                return table[context[key]]
            if ... in table and context.get(key) is not None:
                return table[...]
        return self.default

    def other_defaults(self) -> list[tuple[str, str, Any]]:
        """List key, choice in words and default of what `given` says, where it differs."""
        return [
            (key, "given" if choice is ... else str(choice), value)
            for key, table in self.given.items()
            for choice, value in table.items()
            if value != self.default
        ]


def _spelled(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


def _shortened(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= _LONGEST_SAID else f"{said[:_LONGEST_SAID]}..."


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

    def build(
        self,
        values: Mapping[str, Any],
        context: Mapping[str, str],
        sources: Mapping[str, str] | None = None,
    ) -> Any:
        """Make the strategy; raises ConfigError listing every bad value by KIND.NAME.PARAM.

        `values` are raw (TOML values or text); what they lack is defaulted by `context`, the
        chosen name of each kind. `sources`: the files that values come from, by parameter.
        """
        at = sources or {}
        problems = [self._surplus(n, at.get(n)) for n in values if self.param(n) is None]
        parsed: dict[str, Any] = {}
        for param in self.params:
            value = values.get(param.name, param.default_in({**context, **parsed}))
            if value is attrs.NOTHING:
                problems.append(self._missing(param))
                continue
            try:
                parsed[param.name] = param.parse(value)
            except ValueError as error:
                problems.append(f"{self._spelt(param.name, at.get(param.name))}: {error}")
        if problems:
            raise ConfigError(*problems)
        try:
            return self.cls(**parsed)
        except ValueError as error:
            raise ConfigError(f"{self.path}: {error}") from error

    @property
    def path(self) -> str:
        """Spell the prefix of its parameters: `mask.object`, `training`."""
        return f"{self.kind}.{self.name}" if self.name else self.kind

    def option(self, name: str) -> str:
        """Spell the short option of a parameter; a table's `name` has that of the table."""
        is_table = not self.name and name == "name"
        return f"--{self.kind}" if is_table else short_option(name)

    def _path_in(self, source: str | None) -> str:
        return f"{source}: {self.path}" if source else self.path

    def _spelt(self, name: str, source: str | None) -> str:
        path = f"{self._path_in(source)}.{name}"
        return path if self.name or source else f"{self.option(name)} ({path})"

    def _missing(self, param: Param) -> str:
        path = f"{self.path}.{param.name}"
        short = "" if param.name in KINDS else f", in short {self.option(param.name)}"
        return f"{path} is missing: give --{path} {param.type_name.upper()}{short} ({param.help})"

    def _surplus(self, name: str, source: str | None) -> str:
        message = unknown_name("parameter", name, [p.name for p in self.params])
        return f"{self._path_in(source)}: {message}"


def param(
    default: Any = attrs.NOTHING,
    *,
    help: str,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    given: Mapping[str, Mapping[Any, Any]] | None = None,
    rare: bool = False,
) -> Any:
    """Declare a parameter of a strategy with its default, help text and range.

    Without a default the user has to give a value. Allowed types: bool, int, float, str, Path,
    Literal, tuples of these, and any of them or None. `given` holds other defaults by context:
    `given={"fill": {"multi": 0.6}}`, or by an earlier parameter of the same strategy that is not
    none: `given={"share": {...: None}}`. `rare`: --help-all shows it, --help does not.
    """
    limits = {"help": help, "ge": ge, "gt": gt, "le": le, "lt": lt, "given": given or {}}
    limits["rare"] = rare
    return attrs.field(default=default, kw_only=True, metadata={_METADATA: limits})


def short_option(name: str) -> str:
    """Spell the short option of a parameter."""
    return "--" + name.replace("_", "-")


def declaration(cls: type[Any]) -> Declaration:
    """Return the declaration of a strategy class; raises TypeError for any other class."""
    found = cls.__dict__.get(_DECLARATION)
    if not isinstance(found, Declaration):
        kinds = ", ".join(f"@cfft.{kind}" for kind in KINDS)
        raise TypeError(f"{cls!r} is not a strategy: decorate the class with one of {kinds}")
    return found


def declared_of(strategy: object) -> Declaration | None:
    """Return the declaration of a strategy, None of any other object."""
    found = type(strategy).__dict__.get(_DECLARATION)
    return found if isinstance(found, Declaration) else None


def values_of(strategy: Any) -> dict[str, Any]:
    """Return every parameter of a strategy as TOML can hold it; None becomes the word none."""
    params = declaration(type(strategy)).params
    return {p.name: plain(getattr(strategy, p.name)) for p in params}


def declare(kind: str, name: str, cls: type[T]) -> type[T]:
    """Declare `cls` as a strategy and return it, frozen; raises TypeError for a wrong one."""
    method = KINDS[kind].method
    found = getattr(cls, method, None)
    if not callable(found) or getattr(found, "__isabstractmethod__", False):
        raise TypeError(f"{kind} '{name}' ({cls.__qualname__}) has no method {method}()")
    if problem := _other_arguments(KINDS[kind], getattr_static(cls, method)):
        raise TypeError(f"{kind} '{name}' ({cls.__qualname__}): {problem}")
    if not re.fullmatch(NAME, name) or is_taken(kind, name):
        raise TypeError(f"{kind} cannot be called '{name}': use letters, digits, - and _; not none")
    return freeze(kind, name, cls)


def is_taken(kind: str, name: str) -> bool:
    """Tell whether a name stands for no strategy of a kind."""
    return (kind, name) in _TAKEN


def _other_arguments(kind: Kind, method: Any) -> str | None:
    """Say how a method is declared that cannot be called as it is for its kind."""
    function = method.__func__ if isinstance(method, (staticmethod, classmethod)) else method
    own = () if isinstance(method, staticmethod) else (None,)
    with suppress(ValueError):  # nobody knows the arguments of some built-in functions
        signature = inspect.signature(function)
        try:
            signature.bind(*own, *kind.arguments)
        except TypeError:
            return f"cfft calls {kind.call}, but it is declared {kind.method}{signature}"
    return None


def freeze(kind: str, name: str, cls: type[T]) -> type[T]:
    """Make a frozen attrs class of `cls`, with its declaration; raises TypeError."""
    frozen: Any = attrs.frozen(cls, slots=False)
    declared = Declaration(
        kind, name, inspect.cleandoc(cls.__doc__ or "").split("\n")[0], frozen, _params(frozen)
    )
    for number, param in enumerate(declared.params):
        earlier = {p.name for p in declared.params[:number]}
        if problem := _mistake(param, {*KINDS, *earlier}):
            raise TypeError(f"{declared.path}.{param.name}: {problem}")
    setattr(frozen, _DECLARATION, declared)
    return cast(type[T], frozen)


def _params(frozen: type[Any]) -> tuple[Param, ...]:
    hints = get_type_hints(frozen)
    for field in attrs.fields(frozen):
        if _METADATA not in field.metadata or field.name not in hints:
            raise TypeError(
                f"{frozen.__qualname__}.{field.name}: write NAME: TYPE = cfft.param(...), "
                "or annotate it as ClassVar"
            )
    return tuple(
        Param(name=a.name, type=hints[a.name], default=a.default, **a.metadata[_METADATA])
        for a in attrs.fields(frozen)
    )


def _mistake(param: Param, context: set[str]) -> str | None:
    """Return what is wrong with a declaration, so that it fails where the class is declared."""
    if param.name in _RESERVED:
        return f"the name is taken, as {_RESERVED[param.name]}: choose another"
    if param.name.startswith("_"):
        return "a parameter's name begins with a letter"
    if not isinstance(param.help, str):
        return f"help must be text, got {param.help!r}"
    if not is_supported(param.type):
        return f"no parameter can have the type {param.type}; see the doc-string of cfft.param"
    surplus = set(param.given) - context
    if surplus:
        return (
            f"given: {unknown_name('key', min(surplus), context, 'kinds and earlier parameters')}"
        )
    defaults = [default for table in param.given.values() for default in table.values()]
    wrong = (_wrong(param, default) for default in (param.default, *defaults))
    return next((problem for problem in wrong if problem), None)


def _wrong(param: Param, default: Any) -> str | None:
    if default is attrs.NOTHING:
        return None
    try:
        parsed = param.parse(default)
    except ValueError as error:
        return f"default: {error}"
    return None if parsed == default else f"default {default!r} is read as {parsed!r}: write that"
