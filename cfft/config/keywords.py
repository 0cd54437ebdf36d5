"""Keywords, as the command line and Python functions take them, made into layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from cfft.config.embedded import embedded_recipes
from cfft.config.layers import (
    COMMAND_LINE,
    LISTS,
    Layer,
    parse_seed,
    read_defaults,
    read_file,
    read_recipe,
)
from cfft.config.settings import Model, Training
from cfft.errors import ConfigError, Problems, unknown_name
from cfft.plugin.conversion import plain
from cfft.plugin.kinds import CONFIGURED
from cfft.plugin.params import Declaration, declaration
from cfft.plugin.registry import Registry
from cfft.runtime.files import user_path

FILES = ("recipe", "config")
CHOSEN_KINDS = tuple(kind for kind in CONFIGURED if kind != "backbone")
"""The kinds with a keyword; a model's name chooses its backbone."""


@attrs.frozen(eq=False)
class Keywords:
    """Interpret the keywords that a function takes.

    `kinds`: their strategies can be chosen (all but backbones) and have parameters. `tables`: the
    classes of settings whose parameters are keywords. `files`: whether a recipe and a
    configuration file can be named.
    """

    registry: Registry
    kinds: Sequence[str] = CONFIGURED
    tables: Sequence[type[Any]] = (Model, Training)
    files: bool = True

    def layers(self, given: Mapping[str, Any], below: Sequence[Layer] = ()) -> list[Layer]:
        """Return what `given` builds on, lowest first: defaults, recipe, file, the rest of it.

        `below` lies between the defaults and the recipe. Where none of them says anything of
        images or model, both are the embedded ones, and the method may be that of recipe `best`,
        as `embedded_recipes` says. Raises ConfigError as `layer` does.
        """
        stack = [*below]
        if given.get("recipe") is not None:
            stack.append(read_recipe(str(given["recipe"])))
        if given.get("config") is not None:
            stack.append(read_file(user_path(given["config"])))
        stack.append(self.layer(given))
        return [read_defaults(), *embedded_recipes(self.registry, stack), *stack]

    def layer(self, given: Mapping[str, Any]) -> Layer:
        """Return what `given` says besides files; raises ConfigError with every problem.

        Values are Python's or text as on the command line; None is the word none.
        """
        layer, problems = Layer(COMMAND_LINE), Problems()
        for keyword, value in given.items():
            with problems.noted():
                self._take(layer, keyword, value)
        problems.check()
        return layer

    def _take(self, layer: Layer, keyword: str, value: Any) -> None:
        if keyword == "seed":
            layer.seed = parse_seed(value, "--seed")
        elif keyword == "set":
            _take_assignments(layer, value)
        elif keyword in self.kinds and keyword in CHOSEN_KINDS:
            layer.choose(keyword, _names(keyword, value))
        elif keyword in self._settings:
            table, name = self._settings[keyword]
            layer.settings.setdefault(table, {})[name] = plain(value)
        elif "." in keyword:
            layer.assign(keyword, plain(value))
        elif keyword in self._short:
            layer.short[keyword] = plain(value)
        elif not (self.files and keyword in FILES):
            raise ConfigError(unknown_name("option", keyword, {*self}))

    def __iter__(self) -> Iterator[str]:
        """Go through all keywords but the full spellings of parameters."""
        yield from (*(FILES if self.files else ()), "set", "seed")
        yield from (kind for kind in self.kinds if kind in CHOSEN_KINDS)
        yield from self._settings
        yield from self._short

    @property
    def _settings(self) -> dict[str, tuple[str, str]]:
        """Return table and parameter of each setting by its keyword."""
        return {
            setting_keyword(declared, param.name): (declared.kind, param.name)
            for declared in map(declaration, self.tables)
            for param in declared.params
        }

    @property
    def _short(self) -> set[str]:
        """Return the names of the parameters of all strategies."""
        return {
            param.name
            for kind in self.kinds
            for provided in self.registry.of_kind(kind)
            for param in provided.declaration.params
        }


def setting_keyword(declared: Declaration, param: str) -> str:
    """Return the keyword of one of cfft's own settings; a table's `name` has that of the table."""
    return declared.option(param).removeprefix("--").replace("-", "_")


def spelled(keyword: str) -> str:
    """Spell the option of a keyword; names of kinds and strategies keep their underscores."""
    path, dot, name = keyword.rpartition(".")
    return f"--{path}{dot}{name.replace('_', '-')}"


def given(values: Mapping[str, Any], besides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the keywords among a function's `locals()`: those that are not None.

    "parameters" is what its `**parameters` took; there None is a value. `besides`: arguments that
    are no keywords.
    """
    own = (key for key in values if key not in ("parameters", *besides))
    return {**{k: values[k] for k in own if values[k] is not None}, **values["parameters"]}


def _take_assignments(layer: Layer, value: Any) -> None:
    if isinstance(value, Mapping):
        for path, each in value.items():
            layer.assign(path, plain(each))
        return
    for assignment in [value] if isinstance(value, str) else value:
        layer.set(assignment)


def _names(kind: str, value: Any) -> list[str]:
    names = list(value) if kind in LISTS and isinstance(value, (list, tuple)) else [plain(value)]
    for name in names:
        if not isinstance(name, str):
            raise ConfigError(f"--{kind}: got {name!r}, allowed: a name")
    return names
