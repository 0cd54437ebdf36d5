"""What the options of `cfft run` mean to commands that train nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from cfft.cli.options.options import Option
from cfft.plugin.registry import Registry

IMAGES = "Images and model"
_WORDS: Mapping[str, str] = {
    "suite": "images to measure on [default those of the first run]: {suites}",
    "pretrained": "weights of zero-shot: a tag, a weight file, or random",
    "prompts": "",
}


def reworded(
    registry: Registry, options: Iterable[Option], words: Mapping[str, str]
) -> list[Option]:
    """Return options that say what is measured in a panel of their own, and all others.

    `words`: by keyword, what an option means to this command; empty where it means the same.
    """
    own = {**_WORDS, **words}
    suites = ", ".join(registry.names("suite"))
    return [
        attrs.evolve(
            option,
            panel=IMAGES,
            help=own[option.keyword].format(suites=suites) or option.help,
        )
        if option.keyword in own
        else option
        for option in options
    ]
