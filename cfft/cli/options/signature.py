"""Turn declared options into a function that Typer can read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from cfft.cli.options.options import Option, Request


def as_command(
    options: Sequence[Option],
    action: Callable[..., None],
    make: Callable[[], Request] = Request,
) -> Any:
    """Return a function with one keyword per option that calls `action` with what `make` made.

    An option that is not spelt with dashes is an argument. Keyword-only parameters of `action` are
    arguments and options too, as Typer reads them.
    """
    by_keyword = {f"option_{number}": option for number, option in enumerate(options)}

    def command(**values: Any) -> None:
        request = make()
        for keyword, option in by_keyword.items():
            value = values.pop(keyword)
            if value not in (None, False, []):
                option.store(request, value)
                request.given.append(option.spelling)
        action(request, **values)

    own = inspect.signature(action, eval_str=True).parameters.values()
    parameters = [p for p in own if p.kind is inspect.Parameter.KEYWORD_ONLY]
    parameters += [_parameter(keyword, option) for keyword, option in by_keyword.items()]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _parameter(keyword: str, option: Option) -> inspect.Parameter:
    shown = _option(option) if option.spelling.startswith("-") else _argument(option)
    return inspect.Parameter(
        keyword,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if option.is_flag else None,
        annotation=Annotated[_type(option), shown],
    )


def _option(option: Option) -> Any:
    return typer.Option(
        option.spelling,
        help=escape(option.help),
        metavar=option.metavar,
        rich_help_panel=option.panel or None,
        hidden=option.hidden,
        show_default=False,
    )


def _argument(option: Option) -> Any:
    return typer.Argument(help=escape(option.help), metavar=option.metavar, show_default=False)


def _type(option: Option) -> Any:
    if option.is_flag:
        return bool
    return list[str] | None if option.repeated else str | None
