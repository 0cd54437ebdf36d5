"""The merged model on disk: a weight file, or a checkpoint that also describes the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import attrs
from torch import Tensor

from cfft.errors import ConfigError
from cfft.evaluation.merging.entry import FILE
from cfft.evaluation.merging.members import Members, weight_file
from cfft.model.checkpoint import Checkpoint, write_into, write_weights
from cfft.model.description import read_identity
from cfft.runtime.json_files import as_json
from cfft.runtime.locks import check_unheld
from cfft.runtime.outputs import adding, appearing

_KEPT = "meanwhile: the merged model is in {}".format


def require_place(out: Path, members: Members) -> None:
    """Raise ConfigError for a checkpoint directory of models that nothing describes."""
    if out.suffix != FILE and members.described is None:
        raise ConfigError(
            f"{members.tuned[0].text} does not say which model it is: give --out NAME{FILE}"
        )


@contextmanager
def new_place(out: Path) -> Iterator[Path]:
    """Yield where a merged model and its record are to be written, `out` in the end.

    It is a directory that becomes `out` unless the block fails, and which no other process takes
    meanwhile, or `out` itself where that is a file.
    """
    if out.suffix == FILE:
        check_unheld(out)
        yield out
        return
    with appearing(out, _KEPT) as folder:
        yield folder


def write_model(place: Path, weights: Mapping[str, Tensor], members: Members) -> None:
    """Write a weight file or a checkpoint directory, whose seeds are those of all members.

    `place`: what `new_place` gave. A file replaces no other one; see `adding`.
    """
    known = members.described
    if place.suffix == FILE or known is None or known.description is None:
        identities = (read_identity(weight_file(ref)) for ref in members.stored)
        identity = next(filter(None, identities), {})
        with adding(place, _KEPT) as partial:
            write_weights(partial, weights, identity)
        return
    description = attrs.evolve(known.description, seeds=members.seeds)
    write_into(place, Checkpoint(weights, as_json(description)))
