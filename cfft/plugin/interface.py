"""Base of the classes that plug-ins may inherit from: methods to write, and members with defaults.

Nobody has to inherit. cfft reads optional members through `Interface.of`, which gives a class
without the base the same defaults.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from inspect import getattr_static
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

_ALIKE = 0.85  # `count_as` is taken for `counts_as`, `counts` is not

if TYPE_CHECKING:
    attribute = property
else:

    class attribute:  # noqa: N801
        """A property that subclasses may also give as a field, a parameter or in `__init__`."""

        def __init__(self, default: Callable[[Any], Any]) -> None:
            self.default, self.__doc__ = default, default.__doc__
            self.required = getattr(default, "__isabstractmethod__", False)

        def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
            if instance is None or self.required:  # dataclasses ask classes for fields' defaults
                given = owner if instance is None else type(instance)
                raise AttributeError(f"{given.__name__} lacks {self.default.__name__}")
            return self.default(instance)


class Interface(ABC):  # noqa: B024
    """Declare what a plug-in has to give, by abstract members, and what it may give."""

    @classmethod
    def of(cls, given: object) -> Self:
        """Return `given`; where it lacks this base and an optional member, with the default."""
        return given if isinstance(given, cls) else cast(Self, _Completed(given, cls))


class Strategy(Interface):
    """Declare what strategies of every kind may give."""

    @classmethod
    def example(cls, folder: Path) -> Mapping[str, Any]:
        """Return values of parameters to check the strategy with, as `cfft plugins check` does.

        A strategy that needs values of its user brings some so. It may write files that they name
        into the empty `folder`. Default: none.
        """
        return {}


class _Completed:
    def __init__(self, given: object, base: type[Interface]) -> None:
        self._given, self._base = given, base

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(self._given, name)
        except AttributeError:
            if name in dir(self._given):  # the member itself failed
                raise
        default = getattr_static(self._base, name)
        return default.__get__(self._given) if hasattr(default, "__get__") else default


def given(strategy: object) -> object:
    """Return what `Interface.of` was given for a strategy."""
    return strategy._given if isinstance(strategy, _Completed) else strategy


def members(base: type[Interface], *, required: bool) -> dict[str, Any]:
    """Return what subclasses of `base` must have, or else may have, by name."""
    found = {
        name: member
        for each in reversed(base.__mro__)
        if issubclass(each, Interface) and each is not Interface
        for name, member in vars(each).items()
        if required or not name.startswith("_")
    }
    return {name: member for name, member in found.items() if _is_required(member) == required}


def misspelling(given: object, base: type[Interface], params: Collection[str] = ()) -> str | None:
    """Go on after the name of `given` with its first attribute that looks like a misspelt member.

    `given`: a class or an object, whose parameters are called `params`. None where there is no such
    attribute. A member that is there is not taken to be misspelt beside it.
    """
    known = {*dir(base), *params}
    lacking = [
        name
        for name, default in members(base, required=False).items()
        if name not in params and getattr_static(given, name, default) is default
    ]
    for name in (name for name in dir(given) if name not in known and name[0] != "_"):
        stems = [member for member in lacking if member == f"{name}{name[-1]}ed"]  # crop, cropped
        close = get_close_matches(name.lower(), lacking, n=1, cutoff=_ALIKE)
        for member in (*stems, *close):
            return (
                f"has an attribute '{name}', which cfft does not read: did you mean '{member}'? "
                "If not, give it another name"
            )
    return None


def _is_required(member: Any) -> bool:
    return bool(getattr(member, "required", getattr(member, "__isabstractmethod__", False)))
