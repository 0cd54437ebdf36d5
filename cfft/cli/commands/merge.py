"""The commands `cfft merge NAME`, one for every merge that is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cfft.cli.errors import starting
from cfft.cli.options.command import CommandGroup
from cfft.cli.options.declared import add_command
from cfft.cli.options.options import (
    JSON,
    MEASURED,
    MEASURING,
    OUTPUT,
    Option,
    configuring,
    facts,
    metavar,
    settings_option,
)
from cfft.cli.output.consoles import console
from cfft.cli.output.live import reporting
from cfft.cli.output.merge_tables import print_merge
from cfft.cli.streams import say
from cfft.config.keywords import FILES, spelled
from cfft.config.settings import Evaluation
from cfft.errors import ConfigError, unknown_name
from cfft.evaluation.merging.entry import KINDS, planned_merge
from cfft.evaluation.merging.paths import FORM, is_varied
from cfft.plugin.params import Declaration, Param, declaration, short_option
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import json_text

if TYPE_CHECKING:  # torch comes with it
    from cfft.evaluation.merging.record import MergeRecord

_SETTINGS = ("batch_size", "precision", "workers")
_ARGUMENT = "run directories, checkpoint directories or weight files"
_WORDS: Mapping[str, str] = {
    **MEASURED,
    "suite": "images to measure on [default those of the first run]: {suites}",
    "seed": "seed that validation and test sets are drawn from [default the first run's, else 0]",
}
_HELP = """{summary}

For example: cfft merge {name} {models} --out merged

More about it: cfft plugins show merge.{name}
"""


class MergeGroup(CommandGroup):
    """Say that the merge is named first where an unknown word stands there."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command as Typer does; raises ConfigError for an unknown one."""
        if self.get_command(ctx, args[0]) is None:
            known = unknown_name("merge", args[0], self.list_commands(ctx), "installed")
            raise ConfigError(f"{known}; write cfft merge NAME MODEL... --out PATH")
        return super().resolve_command(ctx, args)


def add_to(app: typer.Typer, name: str, summary: str) -> None:
    """Add the group, with a command for every merge that is installed."""
    registry = Registry.installed()
    group = typer.Typer(cls=MergeGroup, help=summary, no_args_is_help=True)
    declared = {p.declaration.name: p.declaration for p in registry.of_kind("merge")}
    for each in declared.values():
        action = partial(merge, registry, each.name)
        options = merge_options(registry, each)
        add_command(group, each.name, options, action, registry, help=_help(each))
    app.add_typer(group, name=name)


def merge_options(registry: Registry, declared: Declaration) -> list[Option]:
    """Return the options of one merge in the order of its help."""
    own = list(_own_options(declared))
    taken = {option.spelling for option in own}
    own[1:1] = [_parameter(declared, param, taken) for param in declared.params]
    options = configuring(registry, own, KINDS, _SETTINGS, _WORDS)
    return [option for option in options if option.keyword not in (*FILES, "set")]


def merge(
    registry: Registry,
    name: str,
    *,
    models: Sequence[str] = (),
    out: str,
    evaluate: str | None = None,
    validate: bool = False,
    as_json: bool = False,
    **keywords: Any,
) -> None:
    """Merge what is asked for and show every candidate."""
    path = f"merge.{name}."
    values = {k.removeprefix(path): v for k, v in keywords.items() if k.startswith(path)}
    others = {k: v for k, v in keywords.items() if not k.startswith(path)}
    planned = planned_merge(
        *(registry, name, models, values, others, Path(out)),
        measured=validate,
        evaluation=None if evaluate is None else Path(evaluate),
    )
    with starting():
        from cfft.evaluation.merging.job import merge_models  # torch comes with it
    with reporting(as_json=as_json) as watcher:
        record = merge_models(planned, watcher)
    _show(record, as_json=as_json)


def _own_options(declared: Declaration) -> Iterator[Option]:
    start = "the starting model, or zero-shot for the one that the first run started from; then "
    words = (start if _uses_start(declared) else "") + _ARGUMENT
    yield Option("models", words, "", "MODEL", repeated=True, is_argument=True)
    settings = declaration(Evaluation)
    for param in (p for p in settings.params if p.name in _SETTINGS):
        yield settings_option(settings, param, MEASURING)
    validate = "measure every model and the merged one on validation images"
    evaluate = (
        "measure the models and everything merged on the test sets too: a directory as of cfft "
        "eval, which cfft report draws"
    )
    out = "FILE.safetensors, or a new checkpoint directory, which also describes the model"
    yield Option("validate", validate, MEASURING)
    yield Option("evaluate", evaluate, MEASURING, "DIR")
    yield Option("out", out, OUTPUT, "PATH", required=True)
    yield JSON


def _parameter(declared: Declaration, param: Param, taken: set[str]) -> Option:
    """Return the option of a merge's parameter: short, unless one of the command's is alike."""
    keyword, short = f"{declared.path}.{param.name}", short_option(param.name)
    several = f"; {FORM}" if is_varied(param) else ""
    words = f"{param.help} {facts(param)}{several}"
    return Option(
        keyword,
        words,
        "",
        metavar(param),
        spelled=spelled(keyword) if short in taken else short,
        required=param.required,
    )


def _uses_start(declared: Declaration) -> bool:
    """Read a member of the class, which has the interface's default where it gives none."""
    return bool(getattr(declared.cls, "uses_start", True))


def _help(declared: Declaration) -> str:
    start = ["START"] if _uses_start(declared) else []
    models = " ".join([*start, *["RUN"] * getattr(declared.cls, "smallest_count", 1)])
    return _HELP.format(summary=declared.summary, models=models, name=declared.name)


def _show(record: MergeRecord, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json_text(record))
        return
    print_merge(console(), record)
    say(f"wrote {record.out}")
