"""Average two stored models and store the result."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import attrs
from safetensors import SafetensorError

from cfft.errors import ConfigError, WeightsError
from cfft.evaluation.models.finding import ModelRef
from cfft.model.checkpoint import Checkpoint, save, write_weights
from cfft.model.description import read_model
from cfft.model.merge import average_weights, check_alpha
from cfft.model.weights import WeightFile, contradictions
from cfft.runtime.files import require_free
from cfft.runtime.json_files import as_json

FILE = ".safetensors"


def merge_models(a: Path, b: Path, out: Path, alpha: float) -> None:
    """Write (1 - alpha) * a + alpha * b to a new weight file or checkpoint directory.

    Raises ConfigError, and WeightsError for models that are not of one architecture.
    """
    check_alpha(alpha)
    try:
        require_free(out)
        first, second = read_model(a), read_model(b)
        known = _common(first, second)
        weights = average_weights(first.tensors, second.tensors, alpha)
        if out.suffix == FILE:
            write_weights(out, weights, known.identity)
        elif known.description is None:
            raise ConfigError(f"{a} does not say which model it is: give --out NAME{FILE}")
        else:
            found = [ModelRef(str(path), path).seeds for path in (a, b)]
            seeds = tuple(sorted({*chain(*found)})) if all(found) else ()
            description = attrs.evolve(known.description, seeds=seeds)
            save(out, Checkpoint(weights, as_json(description)))
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"cannot average {a} and {b} to --out {out}: {error}") from error


def _common(first: WeightFile, second: WeightFile) -> WeightFile:
    """Return the one that says more of the model; raises WeightsError where they contradict."""
    problems = []
    if first.description and second.description:
        problems = first.description.differences(second.description)
    elif first.identity and second.identity:
        problems = contradictions(second.identity, first.identity)
    if problems:
        raise WeightsError(
            f"{second.path} is a different model from {first.path}: {'; '.join(problems)}"
        )
    return max(first, second, key=lambda stored: (bool(stored.description), bool(stored.identity)))
