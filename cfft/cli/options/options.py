"""The options of `cfft run`, made from declarations: how each is spelled, shown and stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from cfft.cli.options.describe import facts, full_option, metavar
from cfft.config.layers import (
    COMMAND_LINE,
    LISTS,
    SEED,
    Layer,
    parse_seed,
    read_defaults,
    recipe_names,
)
from cfft.config.settings import Model, Training
from cfft.errors import ConfigError
from cfft.plugin.kinds import KINDS, Kind
from cfft.plugin.params import Declaration, Param, declaration, short_option
from cfft.plugin.registry import Registry

_IMAGES, _METHOD = "What to train on", "Method"
_TRAINING, _OUTPUT, _CONFIGURATION = "Training", "Output", "Configuration"
_PANELS = {
    "limit_train": _IMAGES,
    "skip_unreadable": _IMAGES,
    "checkpoint_every": _OUTPUT,
    "log_every": _OUTPUT,
}
_KIND_PANELS = {"suite": _IMAGES}
_NO_OPTION = ("backbone",)
THRESHOLDS = "--thresholds"


@attrs.define
class Request:
    """Hold what a command line asks for, still unchecked; `given`: how its options are spelled."""

    layer: Layer = attrs.field(factory=lambda: Layer(COMMAND_LINE))
    recipe: str | None = None
    config: Path | None = None
    out: Path | None = None
    resume: bool = False
    dry_run: bool = False
    as_json: bool = False
    given: list[str] = attrs.field(factory=list)


@attrs.frozen
class Option:
    """Describe one option; `store` puts its text (True for a flag) into a request."""

    spelling: str
    help: str
    panel: str
    metavar: str
    store: Callable[[Request, Any], None]
    repeated: bool = False
    hidden: bool = False

    @property
    def is_flag(self) -> bool:
        """Tell whether the option takes no value."""
        return self.metavar == ""


def run_options(registry: Registry) -> list[Option]:
    """Return the options of `cfft run` in the order of its help."""
    fixed = _fixed_options(registry)
    taken = {option.spelling for option in fixed}
    return [*fixed, *_full_options(registry), *_short_options(registry, taken)]


def shared_options(
    registry: Registry,
    kinds: Collection[str],
    settings: Collection[str],
    own: Collection[Option] = (),
) -> list[Option]:
    """Return the options of `cfft run` that a command shares besides its `own`.

    They choose strategies of `kinds`, in full and in short, say `settings`, and where those come
    from: --recipe, --config, --set, --seed. Where --thresholds varies a threshold, none sets one.
    """
    taken = {option.spelling for option in own}
    kept = {f"--{kind}" for kind in kinds} | set(settings)
    return [
        option
        for option in run_options(registry)
        if option.spelling not in taken
        and not (THRESHOLDS in taken and _is_threshold(option.spelling))
        and (
            option.spelling in kept
            or option.hidden
            or option.panel == _CONFIGURATION
            or any(option.spelling.startswith(f"--{kind}.") for kind in kinds)
        )
    ]


def _is_threshold(spelling: str) -> bool:
    return spelling == "--threshold" or spelling.endswith(".threshold")


def kind_options(registry: Registry, kind: str) -> list[Option]:
    """Return the options of one kind's strategies alone, in full and in short."""
    return [*_full_options(registry, (kind,)), *_short_options(registry, set(), (kind,))]


def has_short(registry: Registry, param: str) -> bool:
    """Tell whether a parameter has a short option, which cfft's own options may have taken."""
    return short_option(param) not in {option.spelling for option in _fixed_options(registry)}


def _fixed_options(registry: Registry) -> list[Option]:
    return [
        *_kind_options(registry, _IMAGES),
        *_settings_options(Model, _IMAGES),
        *_settings_options(Training, _IMAGES),
        *_kind_options(registry, _METHOD),
        *_settings_options(Training, _TRAINING),
        *_configuration_options(),
        *_output_options(),
        *_settings_options(Training, _OUTPUT),
    ]


def _kind_options(registry: Registry, panel: str) -> Iterator[Option]:
    for kind in KINDS.values():
        if kind.name not in _NO_OPTION and _KIND_PANELS.get(kind.name, _METHOD) == panel:
            yield _kind_option(kind, registry.names(kind.name), panel)


def _kind_option(kind: Kind, names: tuple[str, ...], panel: str) -> Option:
    repeated = kind.name in LISTS

    def store(request: Request, value: Any) -> None:
        request.layer.choose(kind.name, value if repeated else [value])

    words = _kind_words(kind, names, repeated)
    return Option(f"--{kind.name}", words, panel, "NAME", store, repeated=repeated)


def _kind_words(kind: Kind, names: tuple[str, ...], repeated: bool) -> str:
    default = [choice.use for choice in read_defaults().chosen.get(kind.name, ())]
    notes = [f"default {', '.join(default)}"] if default else []
    notes += ["may be repeated", "none leaves all out"] if repeated else []
    brackets = f" [{'; '.join(notes)}]" if notes else ""
    return f"{kind.purpose}: {', '.join(names)}{brackets}"


def _settings_options(table: type[Any], panel: str) -> Iterator[Option]:
    declared = declaration(table)
    home = _IMAGES if table is Model else _TRAINING
    for param in declared.params:
        if _PANELS.get(param.name, home) == panel:
            yield settings_option(declared, param, panel)


def settings_option(declared: Declaration, param: Param, panel: str) -> Option:
    """Return the option of one of cfft's own settings, spelt short."""

    def store(request: Request, value: Any) -> None:
        request.layer.settings.setdefault(declared.kind, {})[param.name] = value

    spelling = declared.option(param.name)
    if param.type is bool:
        return Option(spelling, param.help, panel, "", store)
    return Option(spelling, f"{param.help} {facts(param)}", panel, metavar(param), store)


def _configuration_options() -> Iterator[Option]:
    panel = _CONFIGURATION
    recipes = f"start from the settings of a recipe or TOML file: {', '.join(recipe_names())}"
    yield Option("--recipe", recipes, panel, "NAME", storing("recipe"))
    yield Option(
        "--config",
        "read a TOML file, above the recipe and below these options",
        panel,
        "FILE",
        storing("config", Path),
    )
    yield Option(
        "--set",
        "set any parameter, as KIND.NAME.PARAM=VALUE or training.PARAM=VALUE; may be repeated",
        panel,
        "TEXT",
        _store_assignments,
        repeated=True,
    )
    yield Option("--seed", f"{SEED.help} {facts(SEED)}", panel, metavar(SEED), _store_seed)


def _output_options() -> Iterator[Option]:
    panel = _OUTPUT
    out = "run directory [default a new one in runs/]"
    resume = "go on with the interrupted run in --out, as it was configured"
    plan = "show the plan and check everything, but do not train"
    yield Option("--out", out, panel, "DIR", storing("out", Path))
    yield Option("--resume", resume, panel, "", storing("resume"))
    yield Option("--dry-run", plan, panel, "", storing("dry_run"))
    yield Option("--json", "print results as JSON and nothing else", panel, "", storing("as_json"))


def storing(name: str, convert: Callable[[Any], Any] = lambda value: value) -> Any:
    """Return what puts an option's text, converted, into the field `name` of a request."""
    return lambda request, value: setattr(request, name, convert(value))


def counting(name: str) -> Any:
    """Return what stores a number of 1 or more; it raises ConfigError for anything else."""

    def store(request: Request, text: str) -> None:
        if not text.isdecimal() or int(text) == 0:
            option = short_option(name)
            raise ConfigError(f"{option}: got '{text}', allowed: a whole number >= 1")
        setattr(request, name, int(text))

    return store


def _store_assignments(request: Request, assignments: list[str]) -> None:
    for assignment in assignments:
        request.layer.set(assignment)


def _store_seed(request: Request, text: str) -> None:
    request.layer.seed = parse_seed(text, "--seed")


def _declarations(registry: Registry, kinds: Iterable[str]) -> Iterator[Declaration]:
    for kind in kinds:
        yield from (provided.declaration for provided in registry.of_kind(kind))


def _full_options(registry: Registry, kinds: Iterable[str] = KINDS) -> Iterator[Option]:
    """Give every parameter its full spelling once, even where two plug-ins clash."""
    made = {
        full_option(declared.path, param.name): _full_option(declared, param)
        for declared in _declarations(registry, kinds)
        for param in declared.params
    }
    yield from made.values()


def _full_option(declared: Declaration, param: Param) -> Option:
    def store(request: Request, value: Any) -> None:
        key = (declared.kind, declared.name)
        request.layer.values.setdefault(key, {})[param.name] = value

    spelling = full_option(declared.path, param.name)
    panel = f"Parameters of the chosen {declared.kind}"
    return Option(spelling, f"{param.help} {facts(param)}", panel, metavar(param), store)


def _short_options(
    registry: Registry, taken: set[str], kinds: Iterable[str] = KINDS
) -> Iterator[Option]:
    """Give every parameter its short spelling, unless an option of cfft's own has it."""
    declarations = _declarations(registry, kinds)
    names = {param.name for declared in declarations for param in declared.params}
    for name in sorted(names):
        if short_option(name) not in taken:
            yield Option(short_option(name), "", "", "TEXT", _storing_short(name), hidden=True)


def _storing_short(name: str) -> Callable[[Request, Any], None]:
    return lambda request, value: request.layer.short.update({name: value})
