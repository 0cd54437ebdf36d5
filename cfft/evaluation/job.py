"""Run a whole evaluation: find the models, open the images, measure, compare, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from cfft.config.layers import Layer
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.config.settings import Evaluation
from cfft.data.prepared.store import PreparedSets
from cfft.evaluation.compare.baseline import baseline_line, chosen_baseline
from cfft.evaluation.compare.comparison import compare
from cfft.evaluation.compare.measured import MeasuredModel, MeasuredSet, measured_set
from cfft.evaluation.files.evaluation import EvaluationResults, Identity
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
from cfft.evaluation.models.builder import ModelBuilder
from cfft.evaluation.models.finding import ModelRef, find_models, model_layers
from cfft.evaluation.models.subjects import EvaluationSubject, evaluation_subjects
from cfft.plugin.registry import Registry
from cfft.runtime.devices import make_accelerator, processes_of, surroundings
from cfft.runtime.files import check_free
from cfft.runtime.progress import Reporter, Silent
from cfft.scoring.evaluate import Reading, alike, predict_together
from cfft.scoring.loaded_model import LoadedModel
from cfft.scoring.scores import LabelSpace

if TYPE_CHECKING:
    from accelerate import Accelerator

Pair = tuple[EvaluationSubject, LoadedModel]
Further = Callable[[ModelBuilder], Sequence[EvaluationSubject]]


def _nothing(builder: ModelBuilder) -> Sequence[EvaluationSubject]:
    return ()


def evaluate_models(
    asked: Sequence[str],
    layer: Layer,
    settings: Evaluation,
    registry: Registry,
    out: Path,
    reporter: Reporter | None = None,
    further: Further = _nothing,
) -> EvaluationResults:
    """Measure the models that `asked` names and return the content of evaluation.json.

    `layer`: what the user says of suite, model and seed; what is missing comes from the first run
    among the models. Each model is measured on the sets of its own seed unless `layer` gives one.
    `further`: returns more models to be measured, with labels of their own.
    Raises a CfftError for what a user can fix; `out` is then as it was.
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
    builder = ModelBuilder(registry, config, view.classes, accelerator, hears)
    listed = evaluation_subjects(found, settings.alphas or (), named, builder)
    listed += further(builder)
    job = _Evaluation(config, settings, layer.seed, accelerator, hears)
    return job.run(view, listed, out)


def _configured(registry: Registry, found: Sequence[ModelRef], layer: Layer) -> RunConfig:
    """Return the images and the model that are meant; raises ConfigError with every problem."""
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
    stored: PreparedSets = attrs.field(factory=PreparedSets)
    _warned: set[str] = attrs.field(factory=set)

    def run(
        self, view: SuiteView, subjects: Sequence[EvaluationSubject], out: Path
    ) -> EvaluationResults:
        identities = [subject.identity for subject in subjects]
        baseline = chosen_baseline(self.settings.baseline, identities)
        line = baseline_line(self.settings.baseline_line, identities)
        line.check({each.images.name: each.role for each in view.sets})
        processes = processes_of(self.accelerator)
        if len(subjects) > self.settings.models_at_once:
            for subject in subjects:  # so that a bad one is found before the first image
                self._loaded(view, subject)
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

    def _seed_of(self, subject: EvaluationSubject) -> int:
        own = subject.identity.seed
        return self.config.seed if self.seed is not None or own is None else own

    def _identity(self, subject: EvaluationSubject, model: LoadedModel) -> Identity:
        """Return what is recorded of a model; on another seed's sets it is not its run again."""
        described = model.description
        identity = attrs.evolve(subject.identity, head=described.head, facts=described.facts)
        if self._seed_of(subject) == identity.seed:
            return identity
        return attrs.evolve(identity, run_digest=None)

    def _loaded(self, view: SuiteView, subject: EvaluationSubject) -> LoadedModel:
        """Load a model for the classes of the suite; raises DataError where they do not fit."""
        label, suite = subject.identity.label, self.config.suite.name
        return subject.load().for_classes(label, suite, view.classes)

    def _measured(
        self, view: SuiteView, subjects: Sequence[EvaluationSubject], files: EvaluationFiles
    ) -> list[MeasuredModel]:
        count = self.settings.models_at_once
        chunks = [subjects[i : i + count] for i in range(0, len(subjects), count)]
        return [model for chunk in chunks for model in self._together(view, chunk, files)]

    def _together(
        self, view: SuiteView, subjects: Sequence[EvaluationSubject], files: EvaluationFiles
    ) -> list[MeasuredModel]:
        """Measure models that are in memory at the same time."""
        pairs = [(subject, self._loaded(view, subject)) for subject in subjects]
        for _, model in pairs:
            model.classifier.to(self.accelerator.device)
        found: list[dict[str, MeasuredSet]] = [{} for _ in subjects]
        for each in view.sets:
            for position, measured in self._on_set(view, each, pairs, files):
                found[position][each.images.name] = measured
        for _, model in pairs:
            model.classifier.to("cpu")  # starting models are kept for weight ensembles
        return [
            MeasuredModel(self._identity(*pair), sets, files.folder(pair[0].identity.label))
            for pair, sets in zip(pairs, found, strict=True)
        ]

    def _on_set(
        self, view: SuiteView, each: MeasuredImages, pairs: Sequence[Pair], files: EvaluationFiles
    ) -> Iterator[tuple[int, MeasuredSet]]:
        """Keep and score the predictions for a set; logits are gone when the next set comes."""
        images, batch_size, workers = each.images, self.settings.batch_size, self.settings.workers
        wanted = {i: m for i, (s, m) in enumerate(pairs) if self._seed_of(s) in each.seeds}
        for positions in alike(wanted):
            models = [wanted[position] for position in positions]
            preprocessing = models[0].preprocessing
            reading = Reading(
                *(preprocessing, batch_size, workers),
                prepared=self.stored,
                scratch=files.root,
            )
            for line in self.stored.warnings([images], preprocessing):
                self._warn(line)
            with self.reporter.task(f"evaluating {images.name}", len(images)) as advance:
                predicted = predict_together(models, images, reading, self.accelerator, advance)
            for position, predictions in zip(positions, predicted, strict=True):
                subject, _ = pairs[position]
                files.keep(subject.identity.label, images.name, predictions)
                shifts = view.shifts(self._seed_of(subject)) if each.role == "id" else {}
                scored = partial(
                    measured_set, images.name, predictions, each.role, self.space, shifts
                )
                yield position, files.processes.from_main(scored)

    def _warn(self, line: str) -> None:
        if line not in self._warned:
            self._warned.add(line)
            self.reporter.warned(line)

    def _results(self, view: SuiteView, compared: EvaluationResults) -> EvaluationResults:
        seeds = sorted({seed for each in view.sets for seed in each.seeds})
        return attrs.evolve(
            compared,
            cfft=version("cfft"),
            suite=self.config.to_dict()["suite"],
            baseline_line=self.settings.baseline_line,
            seed=seeds[0] if len(seeds) == 1 else None,
            label_space=self.space,
            classes=tuple(view.classes),
            absent=view.absent,
            passed_over=view.passed_over,
            skipped=tuple(image.record() for image in view.skipped),
            **surroundings(self.accelerator),
        )
