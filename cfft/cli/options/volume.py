"""How much a command says: the options --quiet and --verbose, which every command has."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from typing import Annotated, Any, Literal

import typer

from cfft.errors import CfftError, ConfigError
from cfft.runtime.outside import shown

Volume = Literal["quiet", "normal", "verbose"]
QUIET, VERBOSE = "--quiet", "--verbose"
_VOLUME: ContextVar[Volume] = ContextVar("volume", default="normal")
_OPTIONS = {
    "quiet": (QUIET, "-q", "print results, warnings and errors; neither plan nor progress"),
    "verbose": (VERBOSE, "-v", "print every line of progress, and where errors come from"),
}


def volume() -> Volume:
    """Return how much the command that runs is to say."""
    return _VOLUME.get()


def with_volume(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command that also takes --quiet and --verbose, for Typer to read."""

    def command(*, quiet: bool = False, verbose: bool = False, **values: Any) -> None:
        if quiet and verbose:
            raise ConfigError(f"{QUIET} and {VERBOSE} contradict each other: give one of them")
        token = _VOLUME.set("quiet" if quiet else "verbose" if verbose else "normal")
        try:
            function(**values)
        except CfftError:
            if verbose:
                sys.stderr.write(shown(traceback.format_exc()))
            raise
        finally:
            _VOLUME.reset(token)

    signature = inspect.signature(function, eval_str=True)
    parameters = [*signature.parameters.values(), *map(_parameter, _OPTIONS)]
    command.__doc__ = function.__doc__
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _parameter(name: str) -> inspect.Parameter:
    long, short, words = _OPTIONS[name]
    typed: Any = Annotated[bool, typer.Option(long, short, help=words, metavar="")]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=typed)
