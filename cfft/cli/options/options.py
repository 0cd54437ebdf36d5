"""The options of commands, made from declarations: each is data, and gives one keyword."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs

from cfft.config.keywords import CHOSEN_KINDS, FILES, setting_keyword, spelled
from cfft.config.layers import LISTS, SEED, read_defaults, recipe_names
from cfft.config.settings import Model, Training
from cfft.errors import ConfigError, shortened_list
from cfft.plugin.kinds import CONFIGURED, KINDS, Kind
from cfft.plugin.params import Declaration, Param, declaration
from cfft.plugin.registry import Registry

_IMAGES, MEASURING, _METHOD = "Images and model", "Measuring", "Method"
_TRAINING, _CONFIGURATION, OUTPUT = "Training", "Configuration", "Output"
PARAMETERS = "Parameters of the chosen strategies"
_ORDER = ("", _IMAGES, MEASURING, _METHOD, _TRAINING, _CONFIGURATION, OUTPUT)
_PANELS = {
    "limit_train": _IMAGES,
    "limit_eval": _IMAGES,
    "augment": _IMAGES,
    "sampling": _IMAGES,
    "skip_unreadable": _IMAGES,
    "checkpoint_every": OUTPUT,
    "log_every": OUTPUT,
}
_RARE = frozenset(
    (
        "micro_batch", "weight_decay", "beta1", "beta2", "warmup_steps", "warmup_share",
        "clip_norm", "clip_at", "schedule", "patience", "ties", "skip_unreadable", "workers",
        "log_every", "models_at_once", "checkpoint_every", "prompts", "teacher",
        "layer_decay", "decay_on", "freeze", "sampling", "val_metric", "keep_best", "no_before",
        "checkpoint_activations", "keep_gib", "keep_decoded",
    )
)  # fmt: skip
"""Settings that --help-all alone shows."""

_REPEATED = frozenset(("freeze",))
_NAMES = 6  # as many as fit beside a kind's purpose; cfft plugins list has all

THRESHOLDS = Param("thresholds", tuple[str, ...], (), "thresholds to cut maps at")
MEASURED: Mapping[str, str] = {
    "suite": "images to measure on [default those of the first run]: {suites}",
    "pretrained": "weights of zero-shot: a tag, a weight file, or random",
    "prompts": "",
}
"""Meanings of options in commands that train nothing, as `configuring` takes them."""
_METAVARS = {"int": "N", "float": "X", "bool": "BOOL", "str": "TEXT", "path": "PATH"}


@attrs.frozen
class Option:
    """Describe one option or argument.

    `keyword`: what its value is called. `metavar`: a stand-in for the value, empty for a flag.
    `spelled`: its spelling where that is not the keyword with dashes. `owner`: kind and name of the
    strategy whose parameter it is. `rare`: shown by --help-all alone. `param`: checks the value
    where no configuration does. `values`: those that shells complete.
    """

    keyword: str
    help: str
    panel: str
    metavar: str = ""
    repeated: bool = False
    hidden: bool = False
    rare: bool = False
    owner: tuple[str, str] | None = None
    param: Param | None = None
    spelled: str = ""
    is_argument: bool = False
    required: bool = False
    values: tuple[str, ...] = ()

    @property
    def is_flag(self) -> bool:
        """Tell whether the option takes no value."""
        return self.metavar == ""

    @property
    def spelling(self) -> str:
        """Spell the option; of an argument, its stand-in."""
        return self.metavar if self.is_argument else self.spelled or spelled(self.keyword)

    def parsed(self, value: Any) -> Any:
        """Return the value, checked where the option says how; raises ConfigError."""
        try:
            return value if self.param is None else self.param.parse(value)
        except ValueError as error:
            raise ConfigError(f"{self.spelling}: {error}") from None


JSON = Option("as_json", "print results as JSON and nothing else", OUTPUT, spelled="--json")


def run_options(registry: Registry) -> list[Option]:
    """Return the options of `cfft run` in the order of its help."""
    out = "run directory [default a new one in runs/]"
    resume = "resume the interrupted run in --out with its stored configuration"
    plan = "show the plan and check everything on a few images, but do not train"
    taken = "finished run whose accuracies before fine-tuning are taken if it began alike"
    changed = "with --resume: what may have changed: images, weights, prompts, settings"
    own = [
        Option("out", out, OUTPUT, "DIR"),
        Option("resume", resume, OUTPUT),
        Option("dry_run", plan, OUTPUT),
        Option("before", taken, OUTPUT, "RUN", rare=True),
        Option("allow_changed", changed, OUTPUT, "WHAT", repeated=True, rare=True),
        JSON,
    ]
    return configuring(registry, own)


def configuring(
    registry: Registry,
    own: Sequence[Option] = (),
    kinds: Collection[str] = CONFIGURED,
    settings: Collection[str] = (),
    words: Mapping[str, str] = MappingProxyType({}),
) -> list[Option]:
    """Return a command's `own` options and those that say how a run is configured.

    These choose strategies of `kinds`, give their parameters in full and in short, and `settings`
    of models and training, by keyword (empty: all). An own option replaces one of the same
    keyword; where one varies thresholds, none sets one. `words`: by keyword, what an option means
    to this command, empty where it means the same; these have a panel of their own.
    """
    made = [*_kind_options(registry), *_settings_options(), *_source_options()]
    named = {*kinds, *FILES, "set", "seed", *(settings or (option.keyword for option in made))}
    wanted = named - {option.keyword for option in own}
    suites = ", ".join(registry.names("suite"))
    for number, option in enumerate(made):
        if option.keyword in words:
            meaning = words[option.keyword].format(suites=suites) or option.help
            made[number] = attrs.evolve(option, panel=_IMAGES, help=meaning)
    ordered = sorted((*own, *(o for o in made if o.keyword in wanted)), key=_place)
    parameters = parameter_options(registry, kinds, ordered)
    if any(option.param is THRESHOLDS for option in own):
        parameters = (o for o in parameters if o.keyword.rpartition(".")[2] != "threshold")
    return [*ordered, *parameters]


def parameter_options(
    registry: Registry, kinds: Collection[str], others: Sequence[Option]
) -> Iterator[Option]:
    """Go through the parameters of strategies, in full and then, hidden, in short.

    Each full spelling is there once, even where two plug-ins clash; a short one only where none of
    the command's `others` is spelt like it.
    """
    taken = {option.spelling for option in others}
    declarations = [p.declaration for kind in kinds for p in registry.of_kind(kind)]
    full = {
        (declared.path, param.name): _full_option(declared, param)
        for declared in declarations
        for param in declared.params
    }
    yield from full.values()
    for name in sorted({name for _, name in full}):
        if spelled(name) not in taken:
            yield Option(name, "", "", "TEXT", hidden=True)


def settings_option(declared: Declaration, param: Param, panel: str) -> Option:
    """Return the option of one of cfft's own settings, spelt short."""
    keyword, rare = setting_keyword(declared, param.name), param.name in _RARE
    if param.type is bool:
        return Option(keyword, param.help, panel, rare=rare)
    known = "" if param.required else f" {facts(param)}"  # the embedded recipe gives it
    words, repeated = f"{param.help}{known}", param.name in _REPEATED
    stand_in = "PATTERN" if repeated else metavar(param)
    values = _choices(param)
    return Option(keyword, words, panel, stand_in, repeated=repeated, rare=rare, values=values)


def short_options(registry: Registry) -> set[str]:
    """Return the parameters with a short option, which cfft's own options may have taken."""
    return {option.keyword for option in run_options(registry) if option.hidden}


def metavar(param: Param) -> str:
    """Return a stand-in for a value: N, X, TEXT, PATH, BOOL or NAME; X/X, X,... of a series."""
    if param.choices:
        return "NAME"
    return re.sub("[a-z]+", lambda word: _METAVARS.get(word[0], word[0].upper()), param.type_name)


def facts(param: Param) -> str:
    """Spell the allowed values and the defaults, in brackets."""
    default = "required" if param.required else f"default {param.spell(param.default)}"
    others = [
        f"{param.spell(value)} with {key} {choice}" for key, choice, value in param.other_defaults()
    ]
    allowed = " | ".join(map(str, param.choices)) or param.bounds
    return f"[{'; '.join(filter(None, [allowed, default, *others]))}]"


def _place(option: Option) -> int:
    return _ORDER.index(option.panel) if option.panel in _ORDER else -1


def _kind_options(registry: Registry) -> Iterator[Option]:
    for name in CHOSEN_KINDS:
        panel = _IMAGES if name == "suite" else _METHOD
        names, several, rare = registry.names(name), name in LISTS, name in _RARE
        words = _kind_words(KINDS[name], names)
        yield Option(name, words, panel, "NAME", repeated=several, rare=rare, values=names)


def _kind_words(kind: Kind, names: tuple[str, ...]) -> str:
    default = ", ".join(choice.use for choice in read_defaults().chosen.get(kind.name, ()))
    if kind.name == "teacher":
        default = default or "those that the losses follow"
    notes = [f"default {default}"] if default else []
    notes += ["may be repeated", "none turns all off"] if kind.name in LISTS else []
    brackets = f" [{'; '.join(notes)}]" if notes else ""
    return f"{kind.purpose}: {shortened_list(names, _NAMES)}{brackets}"


def _settings_options() -> Iterator[Option]:
    for declared, home in ((declaration(Model), _IMAGES), (declaration(Training), _TRAINING)):
        for param in declared.params:
            yield settings_option(declared, param, _PANELS.get(param.name, home))


def _source_options() -> Iterator[Option]:
    panel = _CONFIGURATION
    names = shortened_list(recipe_names(), _NAMES)
    recipes = f"start from a recipe or TOML file; --help-all describes them: {names}"
    file = "read a TOML file: it overrides the recipe, and these options override it"
    setting = "set KIND.NAME.PARAM=VALUE or training.PARAM=VALUE; may be repeated"
    yield Option("recipe", recipes, panel, "NAME", values=tuple(recipe_names()))
    yield Option("config", file, panel, "FILE")
    yield Option("set", setting, panel, "TEXT", repeated=True)
    yield Option("seed", f"{SEED.help} {facts(SEED)}", panel, metavar(SEED))


def _full_option(declared: Declaration, param: Param) -> Option:
    return Option(
        f"{declared.path}.{param.name}",
        f"{param.help} {facts(param)}",
        PARAMETERS,
        metavar(param),
        owner=(declared.kind, declared.name),
        rare=param.rare,
        values=_choices(param),
    )


def _choices(param: Param) -> tuple[str, ...]:
    return tuple(map(str, param.choices))
