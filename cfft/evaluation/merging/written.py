"""The merged model on disk: a weight file, or a checkpoint that also describes the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
from torch import Tensor

from cfft.errors import ConfigError
from cfft.evaluation.merging.members import Members, weight_file
from cfft.evaluation.merging.record import FILE
from cfft.model.checkpoint import Checkpoint, save, write_weights
from cfft.model.description import read_identity
from cfft.runtime.json_files import as_json


def require_place(out: Path, members: Members) -> None:
    """Raise ConfigError for a checkpoint directory of models that nothing describes."""
    if out.suffix != FILE and members.described is None:
        raise ConfigError(
            f"{members.tuned[0].text} does not say which model it is: give --out NAME{FILE}"
        )


def write_model(out: Path, weights: Mapping[str, Tensor], members: Members) -> None:
    """Write a weight file or a checkpoint directory, whose seeds are those of all members."""
    known = members.described
    if out.suffix == FILE or known is None or known.description is None:
        identities = (read_identity(weight_file(ref)) for ref in members.stored)
        write_weights(out, weights, next(filter(None, identities), {}))
        return
    description = attrs.evolve(known.description, seeds=members.seeds)
    save(out, Checkpoint(weights, as_json(description)))
