"""The models that an evaluation measures, with labels and groups; each is built on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

import attrs

from cfft.config.comparison import configuration_digest
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.evaluation.compare.groups import group_names, in_groups
from cfft.evaluation.files.evaluation import Identity, kind_before
from cfft.evaluation.models.builder import AUTO, PROBE, ModelBuilder, start_settings, with_model
from cfft.evaluation.models.finding import ModelRef, labels
from cfft.model.description import read_model
from cfft.model.rebuild import described
from cfft.scoring.loaded_model import LoadedModel
from cfft.training.run_directory import RunDirectory


@attrs.frozen(eq=False)
class EvaluationSubject:
    """Identify a model to be measured; `load` builds it on the CPU."""

    identity: Identity
    load: Callable[[], LoadedModel]


def evaluation_subjects(
    refs: Sequence[ModelRef],
    alphas: Sequence[float],
    named: Collection[str],
    builder: ModelBuilder,
) -> list[EvaluationSubject]:
    """Return each model to be measured, and after each run those of its weight ensembles.

    `named`: the settings of the model before fine-tuning that options say themselves. Nothing is
    built yet but such a model that nothing else tells the head of. Raises ConfigError for `alphas`
    without a run, for runs that do not share the model before, and for two models of one label.
    """
    runs = [ref.run for ref in refs if ref.run is not None]
    if alphas and not runs:
        raise ConfigError(
            "--alphas mixes the weights of a run with those that it started from: "
            "give a run directory"
        )
    groups = iter(group_names([run.read_config() for run in runs]))
    models = [_evaluated(ref, runs, named, builder) for ref in refs]
    texts = [attrs.evolve(ref, text=m.identity.label) for ref, m in zip(refs, models, strict=True)]
    listed: list[EvaluationSubject] = []
    for ref, model, label in zip(refs, models, labels(texts), strict=True):
        group = label if ref.run is None else next(groups)
        own = attrs.evolve(model.identity, label=label, group=group)
        listed.append(attrs.evolve(model, identity=own))
        if ref.run is not None:
            listed += _ensembles(own, ref.run, alphas, builder)
    ((label, count),) = Counter(model.identity.label for model in listed).most_common(1)
    if count > 1:  # alphas that are alike in six digits, or a name like theirs
        raise ConfigError(
            f"two models would be called '{label}': give --alphas that differ in their first "
            "six digits, and directories other names"
        )
    grouped = in_groups([model.identity for model in listed])
    return [attrs.evolve(m, identity=own) for m, own in zip(listed, grouped, strict=True)]


def _evaluated(
    ref: ModelRef, runs: Sequence[RunDirectory], named: Collection[str], builder: ModelBuilder
) -> EvaluationSubject:
    """Return a model that has neither its label nor its group yet."""
    if ref.path is None:
        return _before(ref, runs, named, builder)
    made_by = ref.run.read_config() if ref.run else {"weights": str(ref.path.resolve())}
    identity = Identity(
        ref.text, ref.text, "run" if ref.run else "weights", "", ref.seed,
        configuration=configuration_digest(made_by),
        run_digest=ref.run.read_digest() if ref.run else None,
    )  # fmt: skip
    return EvaluationSubject(identity, partial(builder.stored, ref.path))


def _ensembles(
    own: Identity, run: RunDirectory, alphas: Sequence[float], builder: ModelBuilder
) -> Iterator[EvaluationSubject]:
    for alpha in dict.fromkeys(alphas):
        mixed = attrs.evolve(own, label=f"{own.label} alpha={alpha:g}", alpha=alpha)
        yield EvaluationSubject(mixed, partial(builder.ensemble, run, alpha))


def _before(
    ref: ModelRef, runs: Sequence[RunDirectory], named: Collection[str], builder: ModelBuilder
) -> EvaluationSubject:
    """Return the model before fine-tuning that options name, else that of the runs."""
    config, classes, seed = builder.config, builder.classes, None
    if runs and "name" not in named:
        config, classes = _shared_start(runs, named, builder)
        seed = config.seed
    head = builder.starting_head(config, classes)
    made_by = configuration_digest(start_settings(config))
    identity = Identity(
        before_name(head), ref.text, kind_before(head), "", seed, configuration=made_by
    )
    return EvaluationSubject(identity, partial(builder.start, config, classes))


def _shared_start(
    runs: Sequence[RunDirectory], named: Collection[str], builder: ModelBuilder
) -> tuple[RunConfig, tuple[str, ...]]:
    """Return configuration and classes of what runs started from; raises ConfigError for several.

    The settings that options name are those of the options.
    """
    first, *others = map(builder.config_of, runs)
    if any(_start(config) != _start(first) for config in others):
        raise ConfigError(
            "the runs start from different models: say with --model and --pretrained which "
            "one is meant before fine-tuning"
        )
    asked = attrs.evolve(first, model=builder.config.model, backbone=builder.config.backbone)
    trained = described(read_model(runs[0].root))
    if "head" not in named or asked.model.head == AUTO:
        asked = with_model(asked, head=trained.head)
    return asked, trained.classes if asked.model.head == PROBE else builder.classes


def _start(config: RunConfig) -> tuple[Any, Any]:
    return config.model, config.backbone.strategy


def before_name(head: str) -> str:
    """Name a model before fine-tuning by its head: "zero-shot", "pre-trained (linear-probe)"."""
    return head if head == "zero-shot" else f"pre-trained ({head})"
