"""Prompt templates: from a name, a file, or the class name alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cfft.errors import ConfigError, unknown_name
from cfft.runtime.documents import read_text_file
from cfft.runtime.outside import encodable

CLASS_NAME = "class-name"
_PLACE = "{}"
_MOST_BYTES = 1 << 24
_SHOWN = 80


def resolve_templates(asked: str | None, named: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the prompt templates that `asked` stands for.

    `asked`: a name among `named` (the backbone's own), "class-name" for the bare class name, or a
    text file with one template per line, each with `{}` where the class name goes. A name goes
    before a file that is called the same; None takes the first of `named`. Raises ConfigError.
    """
    if asked is None:
        asked = next(iter(named), CLASS_NAME)
    if asked in named:
        return list(named[asked])
    if asked == CLASS_NAME:
        return [_PLACE]
    if Path(asked).is_file():
        return _read_templates(Path(asked))
    names = [*named, CLASS_NAME]
    raise ConfigError(f"{unknown_name('prompts', asked, names)}, or a text file of templates")


def class_prompt(template: str, class_name: str) -> str:
    """Fill a template; underscores in the class name, as folders have them, become spaces."""
    return template.replace(_PLACE, encodable(class_name).replace("_", " "))


def _read_templates(path: Path) -> list[str]:
    try:
        lines = read_text_file(path, _MOST_BYTES).splitlines()
    except ValueError as error:
        raise ConfigError(f"prompts file {path} {error}") from error
    templates = {number: line.strip() for number, line in enumerate(lines, 1) if line.strip()}
    if not templates:
        raise ConfigError(f"prompts file {path} is empty; write one template with {{}} per line")
    wrong = [
        f"prompts file {path}, line {number}: '{template[:_SHOWN]}' has no {{}} for the class name"
        for number, template in templates.items()
        if _PLACE not in template
    ]
    if wrong:
        raise ConfigError(*wrong)
    return list(templates.values())
