"""The parameters that a run trains: which stay frozen by name, which decay, and at what rate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import attrs
from torch import nn

from cfft.config.settings import Training
from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError, unknown_name
from cfft.step.text import TextSide

_TOWER, _VISUAL, _TEXT = "encoder.tower.", "visual.", "text."
_ADAPTER = re.compile(r"parametrizations\.(\w+)\..*")


@attrs.frozen
class Rate:
    """Say how a parameter is trained: `scale`, factor of the learning rate, and whether it decays.

    A parameter that decays is drawn to 0 by AdamW's weight decay.
    """

    scale: float = 1.0
    decays: bool = True


def named_parameters(student: Classifier, text: TextSide | None) -> dict[str, list[nn.Parameter]]:
    """Return all parameters by the names that checkpoints give them.

    `visual.` with the tower's own name, `head.`, and `text.` of a text tower that is trained. An
    adapter has the name of the weight that it changes, so that a name may stand for several.
    """
    named: dict[str, list[nn.Parameter]] = {}
    for name, parameter in student.named_parameters():
        name = name.replace(_TOWER, _VISUAL, 1) if name.startswith(_TOWER) else name
        named.setdefault(_ADAPTER.sub(r"\1", name), []).append(parameter)
    if text is not None and text.trained:
        for name, parameter in text.tower.named_parameters():
            named[_TEXT + name.removeprefix(_TEXT)] = [parameter]
    return named


def frozen_names(patterns: Sequence[str] | None, names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names that each pattern means; raises ConfigError for one that means none.

    Patterns are globs on names, also without `visual.` in front; the name of a module stands for
    all that is in it. Several may stand in one text, with commas between.
    """
    known = list(names)
    asked = [part.strip() for text in patterns or () for part in text.split(",") if part.strip()]
    found = {pattern: [name for name in known if _means(pattern, name)] for pattern in asked}
    missed = [pattern for pattern, own in found.items() if not own]
    if missed:
        raise ConfigError(*(_missed(pattern, known) for pattern in missed))
    return found


def _means(pattern: str, name: str) -> bool:
    spellings = {name, name.removeprefix(_VISUAL)}
    return any(fnmatchcase(each, form) for each in spellings for form in (pattern, f"{pattern}.*"))


def _missed(pattern: str, names: Iterable[str]) -> str:
    """Name what is spelt alike, parameters and the modules that hold them."""
    bare = [name.removeprefix(_VISUAL) for name in names]
    parts = [name.split(".") for name in bare]
    within = {".".join(each[: end + 1]) for each in parts for end in range(len(each))}
    asked = pattern.removeprefix(_VISUAL).rstrip("*").rstrip(".") or pattern
    found = unknown_name("name", asked, within, "names of parameters and modules")
    return f"--freeze '{pattern}' (training.freeze) matches no parameter: {found}"


def groups(
    trained: Sequence[nn.Parameter], student: Classifier, training: Training
) -> list[dict[str, Any]]:
    """Divide trained parameters into the groups of an optimiser, each in the order given.

    One group, of all, where every parameter has the same rate. A text tower is trained at the full
    rate.
    """
    rates, embeddings = _rates(student, training), _embeddings(student)
    found: dict[Rate, list[nn.Parameter]] = {}
    for parameter in trained:
        is_weight = parameter.ndim > 1 and id(parameter) not in embeddings
        rate = Rate(rates.get(id(parameter), 1.0), training.decay_on == "all" or is_weight)
        found.setdefault(rate, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": training.lr * rate.scale,
            "weight_decay": training.weight_decay if rate.decays else 0.0,
        }
        for rate, parameters in found.items()
    ]


def layer_scales(blocks: int, decay: float) -> tuple[float, ...]:
    """Return the factors of the learning rate: of the embeddings, then of each block.

    `decay ** (blocks + 1)` for what lies before the first block, up to `decay` for the last one;
    what lies behind it has 1 (Bao et al. 2022, BEiT; timm's layer decay).
    """
    return tuple(decay ** (blocks + 1 - place) for place in range(blocks + 1))


def _rates(student: Classifier, training: Training) -> Mapping[int, float]:
    """Return the factor of the learning rate of each parameter of the encoder, by its id."""
    if training.layer_decay == 1:
        return {}
    layers = student.encoder.layers()
    embeddings, *blocks = layer_scales(len(layers.blocks), training.layer_decay)
    rates = {id(parameter): embeddings for parameter in student.encoder.parameters()}
    for block, scale in zip(layers.blocks, blocks, strict=True):
        rates |= {id(parameter): scale for parameter in block.module.parameters()}
    return rates | {id(parameter): 1.0 for parameter in layers.output}


def _embeddings(student: Classifier) -> frozenset[int]:
    """Return the ids of class, register and positional embeddings: the tower's own parameters."""
    behind = {id(parameter) for parameter in student.encoder.layers().output}
    own: Iterator[nn.Parameter] = student.encoder.tower.parameters(recurse=False)
    return frozenset(id(parameter) for parameter in own) - behind
