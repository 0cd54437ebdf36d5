"""The models of a merge: what they are, and what keeps them from being merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import attrs

from cfft.encoder.fit import differ_in_one, differences
from cfft.errors import ConfigError, WeightsError, shortened_list
from cfft.evaluation.models.finding import STARTS, ModelRef, find_models
from cfft.model.description import IMAGE, ModelDescription, find_weights, read_identity
from cfft.model.interfaces import Merge
from cfft.model.stored_weights import StoredWeights, shapes_of
from cfft.model.weights import contradictions
from cfft.training.merging import require_enough
from cfft.training.run_directory import RunDirectory
from cfft.training.starting_model import RANDOM

_PROBE = "linear-probe"


@attrs.frozen
class Members:
    """Hold the models of a merge; `start`: the one before fine-tuning, None where none counts."""

    start: ModelRef | None
    tuned: tuple[ModelRef, ...]

    @property
    def stored(self) -> tuple[ModelRef, ...]:
        """All that lie on the disk, in the order in which they were given."""
        start = () if self.start is None or self.start.path is None else (self.start,)
        return (*start, *self.tuned)

    @property
    def all(self) -> tuple[ModelRef, ...]:
        return (*(() if self.start is None else (self.start,)), *self.tuned)

    @property
    def described(self) -> ModelRef | None:
        """The first fine-tuned model, else the start, that says which model it is, or None."""
        return next((ref for ref in (*self.tuned, *self.stored) if ref.description), None)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that trained the models; empty where a fine-tuned one does not say its own.

        A start without seeds was not fine-tuned.
        """
        own = [ref.seeds for ref in self.tuned]
        start = () if self.start is None else self.start.seeds
        return tuple(sorted({*start, *chain(*own)})) if all(own) else ()

    @property
    def weights(self) -> StoredWeights:
        """The weights of the fine-tuned models."""
        return StoredWeights([ref.path for ref in self.tuned if ref.path is not None])

    @property
    def run(self) -> RunDirectory | None:
        """The run that trained the first fine-tuned model of which that is known, or None."""
        return next((run for ref in self.tuned if (run := ref.trained_by) is not None), None)


def find_members(name: str, merge: Merge, asked: Sequence[str]) -> Members:
    """Find the models that a merge is given; one that is named twice counts twice.

    Raises ConfigError or WeightsError for too few of them and for models that are not there.
    """
    found = [ref for text in asked for ref in find_models([text])]
    uses_start = Merge.of(merge).uses_start
    if uses_start and not found:
        raise ConfigError(f"merge '{name}' needs the starting model and fine-tuned ones")
    members = Members(found[0] if uses_start else None, tuple(found[1 if uses_start else 0 :]))
    if any(ref.path is None for ref in members.tuned):
        rule = "takes it first or not at all" if uses_start else "merges fine-tuned models alone"
        raise ConfigError(f"merge '{name}': {STARTS[0]} is not fine-tuned; {name} {rule}")
    if members.start is not None and not members.tuned:
        raise ConfigError(
            f"merge '{name}' got one model, {members.start.text}: give the starting model first, "
            f"as in cfft merge {name} {STARTS[0]} {members.start.text}"
        )
    require_enough(name, merge, len(members.tuned))
    if members.start is not None and members.start.path is None and members.run is None:
        raise ConfigError(
            f"{members.start.text} is the model that a run started from, and none of the others "
            "is a run: give the starting model itself, or a run directory"
        )
    return members


def require_alike(members: Members) -> None:
    """Raise WeightsError with everything in which a model differs from the first one."""
    first, *others = members.stored
    problems = [
        f"{other.text} cannot be merged with {first.text}: {problem}"
        for other in dict.fromkeys(others)
        for problem in _problems(first, other)
    ]
    if problems:
        raise WeightsError(*problems)


def _problems(first: ModelRef, other: ModelRef) -> Iterator[str]:
    """Name what differs: facts of the architecture, classes, names and shapes of tensors."""
    ours, theirs = (read_identity(weight_file(ref)) for ref in (first, other))
    if first.description and other.description:
        yield from first.description.differences(other.description)
    else:
        yield from contradictions(theirs, ours) if ours and theirs else ()
    expected, got = (shapes_of(weight_file(ref)) for ref in (first, other))
    is_resized = bool(ours and theirs) and ours.get(IMAGE) != theirs.get(IMAGE)
    if is_resized and differ_in_one(expected, got):  # the positional embeddings
        return
    if told := differences(expected, got):
        yield told


def weight_file(ref: ModelRef) -> Path:
    """Return the weight file of a model; raises WeightsError where it has none."""
    if ref.path is None:
        raise ConfigError(f"{ref.text} is no file")
    return find_weights(ref.path)


def head_warnings(members: Members, merge: Merge) -> Iterator[str]:
    """Warn of heads whose average means little: of other kinds, or from starts of their own."""
    described = [(ref, ref.description) for ref in members.stored if ref.description]
    if not Merge.of(merge).averages_heads or not described:
        return
    kinds = {ref.text: found.head for ref, found in described if found is not None}
    if len({*kinds.values()}) > 1:
        told = ", ".join(f"{text} from {head}" for text, head in kinds.items())
        yield f"the heads started from different kinds ({told}): their average may mean nothing"
    own = {ref: _own_start(ref, found) for ref, found in described if found is not None}
    apart = [ref for ref, start in own.items() if start]
    if len({ref.seeds for ref in apart}) > 1:
        told = shortened_list(f"{ref.text} from {own[ref]}" for ref in apart)
        yield (
            f"the heads did not start from the same values ({told}, with other seeds): their "
            "average may mean nothing; merge models that share a start"
        )


def _own_start(ref: ModelRef, described: ModelDescription) -> str:
    """Name values that a run with another seed would have started from otherwise, or nothing."""
    run = ref.trained_by
    if run is not None and run.read_config().get("model", {}).get("pretrained") == RANDOM:
        return "random values"
    return "a linear probe" if described.head == _PROBE and described.seeds else ""
