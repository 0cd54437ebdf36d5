"""Declarations in words: what help texts and listings say of a parameter."""

from __future__ import annotations

import re

from cfft.plugin.params import Param

_METAVARS = {"int": "N", "float": "X", "bool": "BOOL", "str": "TEXT", "path": "PATH"}


def metavar(param: Param) -> str:
    """Return a stand-in for a value: N, X, TEXT, PATH, BOOL or NAME; X/X, X,... of a series."""
    if param.choices:
        return "NAME"
    return re.sub("[a-z]+", lambda word: _METAVARS.get(word[0], word[0].upper()), param.type_name)


def default_words(param: Param) -> str:
    """Say which default holds, and which one in which company."""
    base = "required" if param.required else f"default {param.spell(param.default)}"
    others = [
        f"{param.spell(value)} with {key} {choice}"
        for key, table in param.given.items()
        for choice, value in table.items()
        if value != param.default
    ]
    return "; ".join([base, *others])


def facts(param: Param) -> str:
    """Say in brackets what is allowed and what holds by default."""
    allowed = " | ".join(map(str, param.choices)) or param.bounds
    return f"[{'; '.join(filter(None, [allowed, default_words(param)]))}]"
