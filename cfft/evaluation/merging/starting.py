"""The model before fine-tuning as a member of a merge."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from cfft.config.resolve import resolve
from cfft.config.settings import Evaluation
from cfft.errors import WeightsError
from cfft.evaluation.merging.members import Members
from cfft.evaluation.models.builder import with_model
from cfft.evaluation.models.finding import run_layers
from cfft.model.description import read_model
from cfft.model.rebuild import described
from cfft.model.stored_weights import StoredWeights
from cfft.plugin.registry import Registry
from cfft.runtime.devices import make_accelerator
from cfft.runtime.progress import Reporter
from cfft.scoring.loaded_model import LoadedModel
from cfft.training.run_directory import RunDirectory
from cfft.training.starting_model import starting_model


def starting_weights(
    members: Members, registry: Registry, settings: Evaluation, reporter: Reporter
) -> Mapping[str, Tensor]:
    """Return the weights of the start; those before a run are built again.

    Without a start they are those of the first model. Raises WeightsError where the starting model
    of a run is no longer the same.
    """
    if members.start is None:
        return members.weights[0]
    if members.start.path is not None:
        stored = StoredWeights([members.start.path])
        found = stored[0]
        for line in stored.warnings:
            reporter.warned(line)
        return found
    assert members.run is not None, "find_members asks for a run beside the word"
    return _before(members.run, registry, settings, reporter).classifier.weights()


def _before(
    run: RunDirectory, registry: Registry, settings: Evaluation, reporter: Reporter
) -> LoadedModel:
    end = described(read_model(run.root))
    config = with_model(resolve(registry, run_layers(run.config)), head=end.head)
    accelerator = make_accelerator(settings.precision)
    start = starting_model(config, end.classes, accelerator, reporter)
    problems = end.differences(start.description)
    if problems:
        raise WeightsError(
            f"{run.root}: its starting model is no longer the same: {'; '.join(problems)}"
        )
    return start
