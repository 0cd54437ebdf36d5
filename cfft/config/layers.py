"""Layers of a configuration: what one recipe, file or command line says, still unchecked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs

from cfft.config.stages import StageTable, stage_tables
from cfft.errors import ConfigError, Problems, unknown_name
from cfft.plugin.kinds import CONFIGURED, OPTIONAL, SEVERAL
from cfft.plugin.params import Param
from cfft.runtime.documents import parse_toml as toml_tables
from cfft.runtime.documents import read_text_file
from cfft.runtime.files import user_path

SETTINGS = ("model", "training")
VIEW_KINDS = ("mask", "fill", "cam")
"""The kinds that make a view of the images."""

_OLD_TRAIN = "training.train"  # what chose the adaptation before there was that kind
_MOST_BYTES = 1 << 24
LISTS = SEVERAL
COMMAND_LINE = "command line"
_LARGEST_SEED = 2**32 - 1  # numpy's first generators, which plug-ins may use, take no larger one
SEED = Param(
    "seed", int, 0, "seed of every draw: image order, splits, masks, fills", ge=0, le=_LARGEST_SEED
)
_IGNORED = ("cfft", "plugins")
_STORED = ("model", "training", "suite", "plugins")  # in every version; the last one ends the file


@attrs.frozen
class Choice:
    """Name a chosen strategy; `label` tells two of the same name apart."""

    label: str
    use: str


@attrs.frozen
class ViewTable:
    """Hold a table [[view]]: the names of its mask, fill and map, and their raw parameters."""

    label: str
    uses: Mapping[str, str]
    values: Mapping[str, Mapping[str, Any]]


@attrs.define
class Layer:
    """Hold what one source says.

    `chosen`: the strategies of a kind, absent where the source says nothing of it. `values`: raw
    parameters by (kind, label). `loose`: parameters of a kind for whichever strategy is chosen.
    `short`: parameters without a kind. `settings`: raw values of the tables [model], [training].
    `views`: further views, None where the source says nothing of them. `view_values`: raw
    parameters by (label of a view, kind). `stages`: runs to train before, None where the source
    says nothing of them. `split_seed`: the seed of the images alone, None for that of all draws.
    `recipe`: the name or path of the recipe that the layer is, empty for other layers. `reason`:
    why it holds where nobody asked for it.
    """

    source: str
    seed: int | None = None
    chosen: dict[str, tuple[Choice, ...]] = attrs.field(factory=dict)
    values: dict[tuple[str, str], dict[str, Any]] = attrs.field(factory=dict)
    loose: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    short: dict[str, Any] = attrs.field(factory=dict)
    settings: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    views: tuple[ViewTable, ...] | None = None
    view_values: dict[tuple[str, str], dict[str, Any]] = attrs.field(factory=dict)
    stages: tuple[StageTable, ...] | None = None
    split_seed: int | None = None
    recipe: str = ""
    reason: str = ""

    @property
    def chosen_cam(self) -> str | None:
        """Return the map that the source chooses for the run, or None."""
        picks = self.chosen.get("cam", ())
        return picks[0].use if picks else None

    def choose(self, kind: str, names: Iterable[str]) -> None:
        """Choose strategies of a kind by name; `none` in a list means an empty list."""
        listed = list(names)
        twice = [name for name in listed if listed.count(name) > 1]
        if twice:
            raise ConfigError(
                f"--{kind} {twice[0]} is given twice: two of the same name need labels, "
                f'which a TOML file gives them: [[{kind}]] use = "{twice[0]}" label = "other"'
            )
        if kind in (*LISTS, *OPTIONAL) and listed == ["none"]:
            listed = []
        self.chosen[kind] = tuple(Choice(name, name) for name in listed)

    def set(self, assignment: str) -> None:
        """Take `KIND.NAME.PARAM=VALUE` or `TABLE.PARAM=VALUE`; raises ConfigError."""
        path, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(_bad_assignment(assignment))
        self.assign(path, value)

    def assign(self, path: str, value: Any) -> None:
        """Give a value to `KIND.NAME.PARAM` or `TABLE.PARAM`; raises ConfigError."""
        parts = path.split(".")
        if path == _OLD_TRAIN:
            self.chosen["adaptation"] = (Choice(value, value),)
        elif len(parts) == 2 and parts[0] in SETTINGS:
            self.settings.setdefault(parts[0], {})[parts[1]] = value
        elif len(parts) == 3 and parts[0] in CONFIGURED:
            self.values.setdefault((parts[0], parts[1]), {})[parts[2]] = value
        elif len(parts) == 4 and parts[0] == "view" and parts[2] in VIEW_KINDS:
            self.view_values.setdefault((parts[1], parts[2]), {})[parts[3]] = value
        else:
            raise ConfigError(_bad_assignment(f"{path}={value}"))

    def without(self, kinds: Collection[str]) -> Layer:
        """Return a layer that says the same, but nothing of strategies of `kinds`."""
        return attrs.evolve(
            self,
            chosen={kind: picks for kind, picks in self.chosen.items() if kind not in kinds},
            values={key: values for key, values in self.values.items() if key[0] not in kinds},
            loose={kind: values for kind, values in self.loose.items() if kind not in kinds},
            views=None if "loss" in kinds else self.views,
            view_values={} if "loss" in kinds else self.view_values,
        )


def _bad_assignment(text: str) -> str:
    return (
        f"--set {text}: write KIND.NAME.PARAM=VALUE with a kind out of "
        f"{', '.join(CONFIGURED)}, {' or '.join(f'{t}.PARAM=VALUE' for t in SETTINGS)}, or "
        f"view.LABEL.KIND.PARAM=VALUE with a kind out of {', '.join(VIEW_KINDS)}"
    )


def read_recipe(name: str) -> Layer:
    """Read a recipe by name or path; raises ConfigError."""
    if name.endswith(".toml"):
        return attrs.evolve(read_file(user_path(name), "recipe"), recipe=name)
    if name not in recipe_names():
        raise ConfigError(unknown_name("recipe", name, recipe_names()))
    return attrs.evolve(parse_layer(_recipe_text(name), f"recipe '{name}'"), recipe=name)


def recipe_names() -> list[str]:
    """List the recipes that cfft brings, without the defaults that always hold."""
    names = [p.name for p in files("cfft.recipes").iterdir() if p.name.endswith(".toml")]
    return sorted(name.removesuffix(".toml") for name in names if name != "defaults.toml")


def recipe_summary(name: str) -> str:
    """Return the first line of a recipe, which says what it is."""
    return _recipe_text(name).split("\n")[0].removeprefix("#").strip()


def read_defaults() -> Layer:
    """Read the defaults that lie below every recipe."""
    return parse_layer(_recipe_text("defaults"), "defaults")


@cache
def usual(kind: str) -> str | None:
    """Return the strategy that a run uses where nothing is said, None where that is none."""
    return next((choice.use for choice in read_defaults().chosen.get(kind, ())), None)


def _recipe_text(name: str) -> str:
    return files("cfft.recipes").joinpath(f"{name}.toml").read_text("utf-8")


def read_file(path: Path, what: str = "config file") -> Layer:
    """Read a TOML file; raises ConfigError naming the file, and the line where it is broken."""
    return parse_layer(read_text(path, what), f"{what} {path}")


def read_stored(path: Path) -> Layer:
    """Read the configuration that a run stored; raises ConfigError as `check_whole` does."""
    source = f"config file {path}"
    document = parse_toml(read_text(path, "config file"), source)
    check_whole(document, source)
    return layer_of(document, source)


def check_whole(document: Mapping[str, Any], source: str) -> None:
    """Raise ConfigError where a stored configuration lacks a table that each has."""
    lacking = [f"[{table}]" for table in _STORED if table not in document]
    if lacking:
        raise ConfigError(
            f"{source} lacks {', '.join(lacking)}: it was cut off or edited: restore it from a copy"
        )


def read_text(path: Path, what: str) -> str:
    """Return the text of a file; raises ConfigError that calls it `what`."""
    try:
        return read_text_file(path, _MOST_BYTES)
    except FileNotFoundError:
        raise ConfigError(f"no such {what}: {path}") from None
    except ValueError as error:
        if isinstance(error.__cause__, OSError):
            raise ConfigError(f"cannot read {what} {path}: {error.__cause__.strerror}") from None
        raise ConfigError(f"{what} {path} {error}") from None


def parse_layer(text: str, source: str) -> Layer:
    """Parse TOML text; raises ConfigError for broken TOML, or with every wrong table."""
    return layer_of(parse_toml(text, source), source)


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Parse TOML text; raises ConfigError naming `source` and the place where it is broken."""
    try:
        return toml_tables(text)
    except ValueError as error:
        raise ConfigError(f"{source} is not valid TOML: {error}") from None


def layer_of(document: Mapping[str, Any], source: str) -> Layer:
    """Return the layer that parsed TOML holds; raises ConfigError with every wrong table."""
    layer, problems = Layer(source), Problems()
    for key, value in document.items():
        with problems.noted():
            _take(layer, key, value)
    problems.check()
    return layer


def joined(
    said: Iterable[tuple[str, Mapping[str, Any]]],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Join what sources say, lowest first; return values, and where those come from by name.

    Values from the command line have no source there: they are called as its options are.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, own in said:
        values.update(own)
        sources.update(dict.fromkeys(own, source))
    return values, {name: at for name, at in sources.items() if at != COMMAND_LINE}


def _take(layer: Layer, key: str, value: Any) -> None:
    if key == "seed":
        layer.seed = parse_seed(value, f"{layer.source}: seed")
    elif key == "split_seed":
        layer.split_seed = parse_seed(value, f"{layer.source}: split_seed")
    elif key == "stage" and isinstance(value, list):
        layer.stages = stage_tables(value, layer.source)
    elif key in SETTINGS and isinstance(value, Mapping):
        layer.settings.setdefault(key, {})
        for name, inner in value.items():
            _take_setting(layer, key, name, inner)
    elif key == "view" and isinstance(value, list):
        _take_views(layer, value)
    elif key in LISTS and isinstance(value, list):
        _take_list(layer, key, value)
    elif key in CONFIGURED and isinstance(value, Mapping):
        _take_table(layer, key, value)
    elif key not in _IGNORED:
        _refuse(layer, key, value)


def _take_setting(layer: Layer, table: str, name: str, value: Any) -> None:
    if f"{table}.{name}" == _OLD_TRAIN:
        layer.assign(_OLD_TRAIN, value)
    else:
        layer.settings[table][name] = value


def parse_seed(value: Any, source: str) -> int:
    """Convert a seed from TOML or text; raises ConfigError naming `source`."""
    try:
        return int(SEED.parse(value))
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from None


def _refuse(layer: Layer, key: str, value: Any) -> None:
    tables = ["seed", *SETTINGS, *CONFIGURED, "view", "stage"]
    if key not in tables:
        raise ConfigError(f"{layer.source}: {unknown_name('key', key, tables)}")
    raise ConfigError(f"{layer.source}: '{key}' must be written as {_form(key, value)}")


def _form(key: str, value: Any) -> str:
    """Write out how a table begins, with what the user meant where that is plain."""
    if key in SETTINGS:
        return f"[{key}] and, on lines of their own, NAME = VALUE"
    use = f'use = "{value if isinstance(value, str) else "NAME"}"'
    if key == "view":
        return '[[view]] and, on lines of their own, label = "NAME", mask and fill'
    if key == "stage":
        return '[[stage]] and, on lines of their own, name = "NAME" and recipe = "NAME"'
    if key in LISTS:
        return f"[[{key}]] and, on the next line, {use}; or {key} = [] for none"
    return f"[{key}] and, on the next line, {use}"


def _take_table(layer: Layer, kind: str, table: Mapping[str, Any]) -> None:
    for name, inner in table.items():
        if isinstance(inner, Mapping):
            layer.values[kind, name] = dict(inner)
    plain = {k: v for k, v in table.items() if not isinstance(v, Mapping)}
    use = plain.pop("use", None)
    if use is None:
        layer.loose[kind] = plain
        return
    _check_name(layer, f"{kind}.use", use)
    if kind in OPTIONAL and use == "none":
        layer.chosen[kind] = ()
        return
    layer.chosen[kind] = (Choice(use, use),)
    layer.values.setdefault((kind, use), {}).update(plain)


def _take_list(layer: Layer, kind: str, tables: list[Any]) -> None:
    layer.chosen[kind] = ()
    problems = Problems()
    for table in tables:
        with problems.noted():
            _take_listed(layer, kind, table)
    problems.check()


def _take_listed(layer: Layer, kind: str, table: Any) -> None:
    if not isinstance(table, Mapping) or "use" not in table:
        raise ConfigError(f'{layer.source}: every [[{kind}]] needs use = "NAME"')
    plain = dict(table)
    use = plain.pop("use")
    label = plain.pop("label", use)
    _check_name(layer, f"{kind}.use", use)
    _check_name(layer, f"{kind}.label", label)
    if label in [choice.label for choice in layer.chosen[kind]]:
        raise ConfigError(
            f"{layer.source}: two [[{kind}]] are called '{label}': give each its own label"
        )
    layer.chosen[kind] += (Choice(label, use),)
    layer.values[kind, label] = plain


def _take_views(layer: Layer, tables: list[Any]) -> None:
    layer.views, problems = (), Problems()
    for table in tables:
        with problems.noted():
            layer.views += (_view_table(layer, table),)
    problems.check()


def _view_table(layer: Layer, table: Any) -> ViewTable:
    if not isinstance(table, Mapping) or not {"label", "mask", "fill"} <= table.keys():
        raise ConfigError(
            f'{layer.source}: every [[view]] needs label = "NAME", mask = "NAME" and fill = "NAME"'
        )
    label = table["label"]
    _check_name(layer, "view.label", label)
    if label in [view.label for view in layer.views or ()]:
        raise ConfigError(f"{layer.source}: two [[view]] are called '{label}': rename one")
    for surplus in table.keys() - {"label", *VIEW_KINDS}:
        raise ConfigError(
            f"{layer.source}: view '{label}': "
            f"{unknown_name('key', surplus, ('label', *VIEW_KINDS))}"
        )
    uses, values = {}, {}
    for kind in (kind for kind in VIEW_KINDS if kind in table):
        given = table[kind]
        inner = dict(given) if isinstance(given, Mapping) else {"use": given}
        use = inner.pop("use", None)
        _check_name(layer, f"view '{label}', {kind}.use", use)
        uses[kind], values[kind] = use, inner
    return ViewTable(label, uses, values)


def _check_name(layer: Layer, path: str, name: Any) -> None:
    if not isinstance(name, str):
        raise ConfigError(f"{layer.source}: {path}: got {name!r}, allowed: a name in quotes")
