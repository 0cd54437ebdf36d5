"""A sweep file: the rows, their seeds, and what is searched on validation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import attrs
import cattrs
from cattrs import transform_error

from cfft.config.layers import (
    Layer,
    layer_of,
    parse_seed,
    parse_toml,
    read_defaults,
    read_recipe,
    read_text,
)
from cfft.errors import ConfigError, Problems, unknown_name
from cfft.runtime.files import user_path
from cfft.runtime.json_files import converter

Values = Mapping[str, Any]
_RESERVED = ("search", "logs")
_MOST_RUNS = 10_000


@attrs.frozen
class Search:
    """Say how searched values are compared: by validation accuracy of runs with one seed.

    `config`: tables, as in a config file, that hold for these runs alone.
    """

    seed: int = 0
    config: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Row:
    """Describe one row: what its runs do otherwise than the others.

    `search`: values to choose from, by `KIND.NAME.PARAM` or `TABLE.PARAM`; several are combined.
    `vary`: values that are all results, by the same keys: the row is a curve with a point for each;
    several keys change together, from point to point.
    `seeds`: its own, in place of the sweep's.
    `after`: a row whose runs must be finished first, because these look at them.
    """

    name: str
    recipe: str | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict)
    search: Mapping[str, Any] = attrs.field(factory=dict)
    vary: Mapping[str, Any] = attrs.field(factory=dict)
    seeds: Sequence[int] = ()
    after: str | None = None

    @property
    def folder(self) -> str:
        """Return the name as a folder's name."""
        return _folder(self.name)

    def points(self) -> list[Values]:
        """Return the varied values point by point, in the order they are listed; else one of none.

        Every list has the same length.
        """
        each = zip(*self.vary.values(), strict=True)
        return [dict(zip(self.vary, values, strict=True)) for values in each] or [{}]

    def candidates(self) -> list[Values]:
        """Return every combination of the searched values, in the order they are listed."""
        keys = list(self.search)
        return [dict(zip(keys, each, strict=True)) for each in product(*self.search.values())]


@attrs.frozen
class Frontier:
    """Say at which ID accuracy curves are compared, and with which row's.

    `reference`: the row that others are compared with; none: the first one that varies something.
    `at`: ID accuracies, 0..1; none: those of the reference's points.
    """

    reference: str | None = None
    at: Sequence[float] = ()


@attrs.frozen
class Sweep:
    """Describe a sweep: what all runs share (`recipe`, `config`), the rows and their seeds."""

    row: Sequence[Row]
    seeds: Sequence[int] = (0,)
    recipe: str | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict)
    search: Search = Search()
    frontier: Frontier = Frontier()

    @property
    def reference(self) -> str | None:
        """The row whose curve others are compared with, None where no row varies anything."""
        curves = [row.name for row in self.row if row.vary]
        return self.frontier.reference or next(iter(curves), None)

    def seeds_of(self, row: Row) -> Sequence[int]:
        """Return the seeds that a row is run with."""
        return row.seeds or self.seeds

    @property
    def all_seeds(self) -> Sequence[int]:
        """Every seed of any row, the sweep's own first."""
        return [*dict.fromkeys([*self.seeds, *(seed for row in self.row for seed in row.seeds)])]

    def layers(
        self, row: Row, seed: int, values: Values, out: Path, *, searching: bool = False
    ) -> list[Layer]:
        """Return what a run of `row` builds on, lowest first.

        `values`: those of its searched and varied parameters. In texts of the row's config, {out}
        is the sweep's folder and {seed} the run's seed. Raises ConfigError.
        """
        named = (read_recipe(each) for each in (self.recipe, row.recipe) if each is not None)
        own = _filled(row.config, {"{out}": str(out), "{seed}": str(seed)})
        layer = Layer(f"row '{row.name}'", seed=seed)
        for path, value in values.items():
            layer.set(f"{path}={value}")
        tables = [("config", self.config), (f"row '{row.name}'", own)]
        if searching:
            tables.append(("search.config", self.search.config))
        return [
            read_defaults(),
            *named,
            *(layer_of(table, source) for source, table in tables),
            layer,
        ]


def read_sweep(name: str) -> Sweep:
    """Read a sweep file, or one that cfft brings by its name; raises ConfigError."""
    if name.endswith(".toml"):
        text = read_text(user_path(name), "sweep file")
    elif name in sweep_names():
        text = files("cfft.recipes").joinpath("sweeps", f"{name}.toml").read_text("utf-8")
    else:
        raise ConfigError(f"{unknown_name('sweep', name, sweep_names())}; or give a FILE.toml")
    return parse_sweep(text, f"sweep {name}")


def parse_sweep(text: str, source: str) -> Sweep:
    """Parse TOML text; raises ConfigError naming `source` and every wrong entry."""
    try:
        found = _CONVERTER.structure(parse_toml(text, source), Sweep)
    except cattrs.BaseValidationError as error:
        lines = transform_error(error, format_exception=_said)
        raise ConfigError(*(f"{source}: {_placed(line)}" for line in lines)) from None
    problems = [*_too_many(found)] or [*_problems(found)]
    if problems:
        raise ConfigError(*(f"{source}: {problem}" for problem in problems))
    return found


def sweep_names() -> list[str]:
    """List the sweeps that cfft brings."""
    places = files("cfft.recipes").joinpath("sweeps").iterdir()
    return sorted(p.name.removesuffix(".toml") for p in places if p.name.endswith(".toml"))


def point_name(values: Values) -> str:
    """Return what people read of varied values, such as "weight 2"."""
    ends = [path.rpartition(".")[2] for path in values]
    names = ends if len(set(ends)) == len(ends) else list(values)
    return ", ".join(f"{name} {values[path]}" for name, path in zip(names, values, strict=True))


def point_folder(values: Values) -> str:
    """Return the name of a point's folder."""
    return _folder(point_name(values))


def _folder(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.")


def _too_many(sweep: Sweep) -> Iterator[str]:
    """Say that a sweep asks for more runs than it may have, before any of them is made."""
    asked = sum(_count(row, len(sweep.seeds_of(row))) for row in sweep.row)
    if asked > _MOST_RUNS:
        yield f"it asks for {asked:,} runs, allowed: {_MOST_RUNS:,}: search or vary fewer values"


def _count(row: Row, seeds: int) -> int:
    searched = [len(values) for values in row.search.values() if isinstance(values, list)]
    varied = [len(values) for values in row.vary.values() if isinstance(values, list)]
    return (prod(searched) if searched else 0) + seeds * max(varied, default=1)


def _problems(sweep: Sweep) -> Iterator[str]:
    if not sweep.row:
        yield "no [[row]]: give at least one"
    yield from _bad_seeds([sweep.search.seed, *sweep.all_seeds])
    if not sweep.seeds or len(set(sweep.seeds)) < len(sweep.seeds):
        yield f"seeds {list(sweep.seeds)}: give one or more, each once"
    for row in sweep.row:
        if len(set(row.seeds)) < len(row.seeds):
            yield f"row '{row.name}': seeds {list(row.seeds)}: give each once"
        for first in (each for each in sweep.row if each.name == row.after):
            lacks = [seed for seed in sweep.seeds_of(row) if seed not in sweep.seeds_of(first)]
            if lacks:
                yield (
                    f"row '{row.name}': it follows '{first.name}', which has no run with seed "
                    f"{', '.join(map(str, lacks))}: give that row these seeds too"
                )
    folders = [row.folder.lower() for row in sweep.row]  # some file systems know no capitals
    for place, (row, folder) in enumerate(zip(sweep.row, folders, strict=True)):
        if not folder or folder in _RESERVED or folders.count(folder) > 1:
            yield f"row '{row.name}': give it a name that makes a folder of its own"
        for path, values in row.search.items():
            if not isinstance(values, list) or not values:
                yield f"row '{row.name}': search of '{path}' takes a list, as in [0.3, 0.5]"
        yield from _problems_of_points(row)
        if row.after is not None and row.after not in [each.name for each in sweep.row[:place]]:
            yield f"row '{row.name}': after = '{row.after}' must name a row above it"
        if row.after is not None and row.search:
            yield (
                f"row '{row.name}': values are searched before any row is run, also before "
                f"'{row.after}': leave out search or after"
            )
    named = sweep.frontier.reference
    curves = [row.name for row in sweep.row if row.vary]
    if named is not None and named not in curves:
        yield f"frontier: {unknown_name('row with vary', named, curves)}"
    if not all(0 <= share <= 1 for share in sweep.frontier.at):
        yield f"frontier: at {list(sweep.frontier.at)} takes ID accuracies from 0 to 1"


def _bad_seeds(seeds: Sequence[int]) -> Iterator[str]:
    problems = Problems()
    for seed in seeds:
        with problems.noted():
            parse_seed(seed, "seeds")
    yield from dict.fromkeys(problems)


def _problems_of_points(row: Row) -> Iterator[str]:
    lists = [values for values in row.vary.values() if isinstance(values, list) and values]
    if len(lists) < len(row.vary) or len({len(values) for values in lists}) > 1:
        yield f"row '{row.name}': vary takes lists of one length, as in [1, 2, 3]"
        return
    folders = [point_folder(values).lower() for values in row.points()]
    if len(set(folders)) < len(folders):
        yield f"row '{row.name}': vary has a value twice: give each once"
    if row.vary and row.search:
        yield f"row '{row.name}': leave out search or vary: all values of vary are results"


def _filled(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(inner, places) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, places) for inner in value]
    if isinstance(value, str):
        for place, text in places.items():
            value = value.replace(place, text)
    return value


def _said(error: BaseException, type_: Any) -> str:
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(error.cl)]
        return "; ".join(unknown_name("key", key, known) for key in sorted(error.extra_fields))
    if isinstance(error, KeyError):
        return "missing"
    if isinstance(error, ValueError) and str(error).startswith("got "):
        return str(error)
    if isinstance(error, ValueError):
        return f"allowed: {getattr(type_, '__name__', type_)}, got something else"
    return "a list or table was expected, got something else"


def _placed(line: str) -> str:
    said, _, place = line.rpartition(" @ ")
    place = place.removeprefix("$").removeprefix(".")
    return f"{place}: {said}" if place else said


_CONVERTER = converter(strict=True)
