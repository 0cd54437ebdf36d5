"""From what a user names to classifiers: runs, weight ensembles, files, the model before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs

from cfft.config.comparison import configuration_digest
from cfft.config.resolve import RunConfig
from cfft.errors import ConfigError, WeightsError
from cfft.evaluation.compare.groups import group_names, groups_without_doubles
from cfft.evaluation.compare.measured import Identity, kind_before
from cfft.evaluation.models.finding import Found, labels
from cfft.evaluation.models.foreign import classifier_tensors, load_foreign
from cfft.evaluation.models.starts import Starts, what_it_depends_on
from cfft.model.description import read_model
from cfft.model.merge import average_weights
from cfft.model.rebuild import Rebuilt, described, rebuild
from cfft.plugin.registry import Registry
from cfft.training.run_directory import RunDirectory
from cfft.training.starting_model import before_name


@attrs.frozen(eq=False)
class Subject:
    """Name a model to be measured; `load` builds it on the CPU, anew on every call."""

    identity: Identity
    load: Callable[[], Rebuilt]


@attrs.frozen(eq=False)
class Subjects:
    """Build the models that a user names.

    `config`: what options, and beside runs the first run, say of images and model. `classes`:
    those of the suite.
    """

    registry: Registry
    config: RunConfig
    classes: tuple[str, ...]
    starts: Starts

    def of(self, found: Sequence[Found], alphas: Sequence[float]) -> list[Subject]:
        """Return a subject for each model, and after each run those of its weight ensembles.

        Nothing is built yet but a starting model that nothing else tells the head of. Raises
        ConfigError for `alphas` without a run, for runs that do not share the model before, and for
        two models of one label.
        """
        runs = [model.run for model in found if model.run is not None]
        if alphas and not runs:
            raise ConfigError(
                "--alphas mixes the weights of a run with those that it started from: "
                "give a run directory"
            )
        groups = iter(group_names([run.read_config() for run in runs]))
        listed: list[Subject] = []
        for model, label in zip(found, self._labels(found, runs), strict=True):
            if model.run is not None:
                listed += self._run(model.run, label, next(groups), alphas)
            elif model.path is not None:
                listed.append(self._file(model.path, label, model.seed))
            else:
                listed.append(self._before(model.text, label, runs))
        _require_own_labels(listed)
        return _counted_once(listed)

    def _labels(self, found: Sequence[Found], runs: Sequence[RunDirectory]) -> list[str]:
        """Return what tables call the models; the one before fine-tuning is named by its head."""
        named = [
            attrs.evolve(model, text=before_name(self.starts.head(self.starts.meant(runs))))
            if model.path is None
            else model
            for model in found
        ]
        return labels(named)

    def _run(
        self, run: RunDirectory, label: str, group: str, alphas: Sequence[float]
    ) -> Iterator[Subject]:
        same = configuration_digest(run.read_config())
        own = Identity(
            label,
            str(run.root),
            "run",
            group,
            run.read_seed(),
            configuration=same,
            run_digest=run.read_digest(),
        )
        yield Subject(own, partial(self._stored, run.root))
        for alpha in dict.fromkeys(alphas):
            mixed = attrs.evolve(own, label=f"{label} alpha={alpha:g}", alpha=alpha)
            yield Subject(mixed, partial(self._ensemble, run, alpha))

    def _file(self, path: Path, label: str, seed: int | None) -> Subject:
        same = configuration_digest({"weights": str(path.resolve())})
        identity = Identity(label, str(path), "weights", label, seed, configuration=same)
        return Subject(identity, partial(self._stored, path))

    def _before(self, text: str, label: str, runs: Sequence[RunDirectory]) -> Subject:
        start = self.starts.meant(runs)
        kind = kind_before(self.starts.head(start))
        same = configuration_digest(what_it_depends_on(start.config))
        identity = Identity(label, text, kind, label, start.seed, configuration=same)
        return Subject(identity, partial(self.starts.build, start))

    def _stored(self, path: Path) -> Rebuilt:
        stored = read_model(path)
        if stored.description is not None:
            return Rebuilt(rebuild(stored, self.registry), described(stored))
        tensors = classifier_tensors(stored.file.tensors)
        if tensors is not None:
            return load_foreign(stored.file, tensors, self.config, self.classes)
        return self.starts.from_file(stored.file.path)

    def _ensemble(self, run: RunDirectory, alpha: float) -> Rebuilt:
        """Return (1 - alpha) * the run's starting model + alpha * its fine-tuned one."""
        end = self._stored(run.root)
        start = self.starts.of_run(run, end.description)
        problems = end.description.differences(start.description)
        if problems:
            raise WeightsError(
                f"{run.root}: its starting model is no longer the same: {'; '.join(problems)}"
            )
        weights = average_weights(start.classifier.weights(), end.classifier.weights(), alpha)
        end.classifier.load_weights(weights)
        return end


def _require_own_labels(subjects: Sequence[Subject]) -> None:
    """Raise ConfigError for alphas that are alike in six digits, and for names like theirs."""
    counts = Counter(subject.identity.label for subject in subjects)
    twice = [label for label, count in counts.items() if count > 1]
    if twice:
        raise ConfigError(
            f"two models would be called '{twice[0]}': give --alphas that differ in their first "
            "six digits, and directories other names"
        )


def _counted_once(subjects: Sequence[Subject]) -> list[Subject]:
    """Return subjects in groups that count no seed twice."""
    groups = groups_without_doubles([subject.identity for subject in subjects])
    return [
        attrs.evolve(subject, identity=attrs.evolve(subject.identity, group=group))
        for subject, group in zip(subjects, groups, strict=True)
    ]
