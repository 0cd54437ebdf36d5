"""Bring a model's classes into the order of a suite's."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from cfft.errors import DataError, shortened_list


def class_columns(
    model: str, known: Sequence[str], suite: str, wanted: Sequence[str]
) -> Tensor | None:
    """Return which of a model's logits belong to the classes of a suite: [K], int64.

    `known`: the model's class names by index; `wanted`: the suite's. They are matched by name;
    the model may know more. None where both are the same in the same order, in which case a name
    may occur twice. `model` and `suite` are for messages. Raises DataError that lists the classes
    that the model does not know, and for an order that names cannot tell.
    """
    known, wanted = _composed(known), _composed(wanted)
    if known == wanted:
        return None
    index = {name: position for position, name in enumerate(known)}
    missing = [name for name in wanted if name not in index]
    if missing:
        raise DataError(
            f"{model} knows {len(known)} classes ({_quoted(known)}), but suite {suite} has "
            f"{len(wanted)}, {len(missing)} of them unknown to it: {_quoted(missing)}; take a "
            "suite with the classes that it was trained on, or name them alike (classes.txt)"
        )
    counts = (Counter(known), Counter(wanted))
    twice = [name for name in wanted if any(count[name] > 1 for count in counts)]
    if twice:
        raise DataError(
            f"{model} and suite {suite} have the same classes in different orders, and "
            f"'{twice[0]}' is the name of two: names cannot tell which is which"
        )
    return torch.tensor([index[name] for name in wanted])


def _composed(names: Sequence[str]) -> tuple[str, ...]:
    """Return names with accents as part of their letters; macOS stores them apart in folders."""
    return tuple(unicodedata.normalize("NFC", name) for name in names)


def _quoted(names: Sequence[str]) -> str:
    return shortened_list(f"'{name}'" for name in names)
