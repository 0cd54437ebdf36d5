"""A whole evaluation: find the models, open the images, measure, compare, write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from cfft.config.layers import Layer
from cfft.config.resolve import RunConfig, resolve
from cfft.config.settings import Evaluation
from cfft.evaluation.compare.baseline import baseline_line, chosen_baseline
from cfft.evaluation.compare.comparison import Comparison, compare
from cfft.evaluation.compare.measured import Identity, MeasuredModel, MeasuredSet, measure
from cfft.evaluation.files.evaluation import EvaluationResults
from cfft.evaluation.files.files import EvaluationFiles, new_evaluation
from cfft.evaluation.images.leakage import (
    check_one_suite,
    warn_of_other_settings,
    warn_of_training_images,
)
from cfft.evaluation.images.sets import (
    MeasuredImages,
    SuiteView,
    open_suite,
    unmeasured,
    without_unreadable,
)
from cfft.evaluation.images.side_by_side import Fitted, alike, fitted, predict_together
from cfft.evaluation.models.finding import Found, find_models, model_layers
from cfft.evaluation.models.starts import Starts
from cfft.evaluation.models.subjects import Subject, Subjects
from cfft.plugin.registry import Registry
from cfft.records import Preprocessing
from cfft.runtime.devices import make_accelerator, processes_of, surroundings
from cfft.runtime.files import check_free
from cfft.runtime.progress import Reporter, Silent
from cfft.scoring.evaluate import Reading
from cfft.scoring.predictions import Predictions
from cfft.scoring.scores import LabelSpace

if TYPE_CHECKING:
    from accelerate import Accelerator


def evaluate_models(
    asked: Sequence[str],
    layer: Layer,
    settings: Evaluation,
    registry: Registry,
    out: Path,
    reporter: Reporter | None = None,
) -> EvaluationResults:
    """Measure the models that `asked` names and return what evaluation.json in `out` holds.

    `layer`: what the user says of suite, model and seed; what is missing comes from the first run
    among the models. Each model is measured on the sets of its own seed unless `layer` gives one.
    Raises a CfftError for what a user can mend; `out` is then as it was.
    """
    check_free(out)
    found = find_models(asked)
    config = _configured(registry, found, layer)
    check_one_suite(found, layer, config, registry)
    accelerator = make_accelerator(settings.precision)
    hears = reporter if reporter is not None and accelerator.is_main_process else Silent()
    warn_of_training_images(found, layer.seed, config, hears)
    warn_of_other_settings(found, config, registry, hears)
    own = [] if layer.seed is not None else [m.seed for m in found if m.seed is not None]
    view = open_suite(config.suite.strategy, [config.seed, *own])
    for line in unmeasured(config.suite.strategy, view):
        hears.warned(line)
    named = frozenset(layer.settings.get("model", {}))
    starts = Starts(registry, config, named, view.classes, accelerator, hears)
    subjects = Subjects(registry, config, view.classes, starts)
    listed = subjects.of(found, settings.alphas or ())
    job = _Evaluation(config, settings, layer.seed, accelerator, hears)
    return job.run(view, listed, out)


def _configured(registry: Registry, found: Sequence[Found], layer: Layer) -> RunConfig:
    """Return which images and which model are meant; raises ConfigError with every problem."""
    layers = model_layers(found, layer)
    bare = next((model for model in found if model.is_bare), None)
    if bare is None:
        return resolve(registry, layers)
    names = ["ViT-B-32", *(f"{name}:NAME" for name in registry.names("backbone"))]
    spellings = ", ".join(f"--model {name}" for name in names)
    why = f"{bare.text} does not say its architecture: give --model NAME, as in {spellings}"
    return resolve(registry, layers, without_model=why)


@attrs.frozen(eq=False)
class _Evaluation:
    """Measure subjects; `seed`: the one that the user asked for, whatever a run had."""

    config: RunConfig
    settings: Evaluation
    seed: int | None
    accelerator: Accelerator
    reporter: Reporter

    def run(self, view: SuiteView, subjects: Sequence[Subject], out: Path) -> EvaluationResults:
        identities = [subject.identity for subject in subjects]
        baseline = chosen_baseline(self.settings.baseline, identities)
        line = baseline_line(self.settings.baseline_line, identities)
        line.check({each.images.name: each.role for each in view.sets})
        processes = processes_of(self.accelerator)
        self._try_all(view, subjects)
        if self.settings.skip_unreadable:
            view = without_unreadable(view, processes, self.reporter)
        with new_evaluation(out, processes) as files:
            models = self._measured(view, subjects, files)
            results = self._results(view, compare(models, baseline, line.fit(models)))
            files.write(results)
        return results

    @property
    def space(self) -> LabelSpace:
        """The classes that the arg-max is taken among."""
        return self.settings.label_space or "subset"

    def _seed_of(self, subject: Subject) -> int:
        own = subject.identity.seed
        return self.config.seed if self.seed is not None or own is None else own

    def _identity(self, subject: Subject) -> Identity:
        """Return what is recorded of a model; on another seed's sets it is not its run again."""
        if self._seed_of(subject) == subject.identity.seed:
            return subject.identity
        return attrs.evolve(subject.identity, run_digest=None)

    def _try_all(self, view: SuiteView, subjects: Sequence[Subject]) -> None:
        """Build every model once, so that a bad one is found before the first image."""
        if len(subjects) > self.settings.models_at_once:
            for subject in subjects:
                self._fitted(view, subject)

    def _fitted(self, view: SuiteView, subject: Subject) -> Fitted:
        return fitted(subject.load(), subject.identity.label, self.config.suite.name, view.classes)

    def _measured(
        self, view: SuiteView, subjects: Sequence[Subject], files: EvaluationFiles
    ) -> list[MeasuredModel]:
        return [
            model
            for first in range(0, len(subjects), self.settings.models_at_once)
            for model in self._together(
                view, subjects[first : first + self.settings.models_at_once], files
            )
        ]

    def _together(
        self, view: SuiteView, subjects: Sequence[Subject], files: EvaluationFiles
    ) -> list[MeasuredModel]:
        """Measure models that are in memory at the same time."""
        models = [self._fitted(view, subject) for subject in subjects]
        for model in models:
            model.classifier.to(self.accelerator.device)
        found: list[dict[str, MeasuredSet]] = [{} for _ in subjects]
        for each in view.sets:
            for position, measured in self._on_set(view, each, subjects, models, files):
                found[position][each.images.name] = measured
        for model in models:
            model.classifier.to("cpu")  # starting models are kept for weight ensembles
        identities = [
            attrs.evolve(self._identity(subject), head=model.head, facts=model.facts)
            for subject, model in zip(subjects, models, strict=True)
        ]
        return [
            MeasuredModel(identity, sets, files.folder(identity.label))
            for identity, sets in zip(identities, found, strict=True)
        ]

    def _on_set(
        self,
        view: SuiteView,
        each: MeasuredImages,
        subjects: Sequence[Subject],
        models: Sequence[Fitted],
        files: EvaluationFiles,
    ) -> Iterator[tuple[int, MeasuredSet]]:
        """Keep and score what models say of a set; logits are gone when the next set comes."""
        for position, predictions in self._predicted(each, subjects, models):
            subject = subjects[position]
            files.keep(subject.identity.label, each.images.name, predictions)
            shifts = view.shifts(self._seed_of(subject)) if each.role == "id" else {}
            name = each.images.name
            scored = partial(measure, name, predictions, each.role, self.space, shifts)
            yield position, files.processes.from_main(scored)

    def _predicted(
        self, each: MeasuredImages, subjects: Sequence[Subject], models: Sequence[Fitted]
    ) -> Iterator[tuple[int, Predictions]]:
        """Give the predictions for a set by the position of the model."""
        wanted = [i for i, subject in enumerate(subjects) if self._seed_of(subject) in each.seeds]
        for group in alike([models[i] for i in wanted]):
            positions = [wanted[i] for i in group]
            task = f"evaluating {each.images.name}"
            self.reporter.started(task, len(each.images))
            yield from zip(
                positions,
                predict_together(
                    [models[i] for i in positions],
                    each.images,
                    self._reading,
                    self.accelerator,
                    partial(self.reporter.advanced, task),
                ),
                strict=True,
            )
            self.reporter.ended(task)

    def _reading(self, preprocessing: Preprocessing) -> Reading:
        return Reading(preprocessing, self.settings.batch_size, self.settings.workers)

    def _results(self, view: SuiteView, compared: Comparison) -> EvaluationResults:
        seeds = sorted({seed for each in view.sets for seed in each.seeds})
        return attrs.evolve(
            compared.results(),
            cfft=version("cfft"),
            suite=self.config.to_dict()["suite"],
            baseline_line=self.settings.baseline_line,
            seed=seeds[0] if len(seeds) == 1 else None,
            label_space=self.space,
            classes=tuple(view.classes),
            absent=view.absent,
            skipped=tuple(image.record() for image in view.skipped),
            **surroundings(self.accelerator),
        )
