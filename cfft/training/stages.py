"""Stages: the runs that a run builds on, each in its own directory, and their models."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from cfft.config.run_config import RunConfig
from cfft.config.stages import stage_of
from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError
from cfft.model.rebuild import TeacherSource
from cfft.plugin.registry import Registry
from cfft.training.results import RunResults
from cfft.training.run_directory import RunDirectory, check_run


@attrs.frozen
class StagePlaces:
    """Say where the models of stages lie: in `folder`, by name.

    `pending`: the names of those that are not trained yet; they are taken to fit.
    """

    folder: Path
    pending: Collection[str] = ()

    def located(self, path: Path) -> Path:
        """Return a path with the folder in the place of `{stages}`; others stay as they are."""
        return path if stage_of(path) is None else self.folder.joinpath(*path.parts[1:])


@attrs.frozen(eq=False)
class StagedSource:
    """Give teachers models as `source` does, those of stages among them: a ModelSource."""

    source: TeacherSource
    places: StagePlaces

    def pretrained(self) -> Classifier:
        """Return a copy of the pre-trained model with the head that training starts from."""
        return self.source.pretrained()

    def load(self, path: Path) -> Classifier:
        """Return a model from disk; `{stages}/NAME` is the best model of that stage.

        A stage that is pending is represented by the pre-trained model. Raises as `source` does.
        """
        if stage_of(path) in self.places.pending:
            return self.source.pretrained()
        return self.source.load(self.places.located(path))


@attrs.frozen
class PlannedStage:
    """Hold a stage of a run and its directory; `results`: None where it is not finished."""

    name: str
    config: RunConfig
    directory: RunDirectory
    results: RunResults | None


def planned_stages(
    config: RunConfig, directory: RunDirectory, registry: Registry
) -> tuple[PlannedStage, ...]:
    """Return the stages of a run in order; raises ConfigError where a directory holds another run.

    A stage goes on from its last checkpoint, where it has one.
    """
    planned = []
    for stage in config.stages:
        own = directory.stage(stage.name)
        with stage_named(stage.name):
            check_run(own, stage.config, registry)
        planned.append(PlannedStage(stage.name, stage.config, own, own.read_results()))
    return tuple(planned)


@contextmanager
def stage_named(name: str) -> Iterator[None]:
    """Put the name of a stage before the problems of a ConfigError."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(*(f"stage '{name}': {line}" for line in error.problems)) from error


def merged_stages(config: RunConfig, directory: RunDirectory) -> tuple[Path, ...]:
    """Return the best checkpoints of the stages that a run's merge takes, in their order."""
    return tuple(directory.stage(stage.name).best for stage in config.stages if stage.merged)
