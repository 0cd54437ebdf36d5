"""The method in somebody else's training loop: a model to start from, and the step."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from cfft.config.embedded import EMBEDDED
from cfft.config.keywords import Keywords, given
from cfft.config.layers import Layer, read_recipe, usual
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.config.settings import Model
from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError, DataError
from cfft.model import checkpoint
from cfft.model.checkpoint import Checkpoint
from cfft.model.pretrained import Pretrained
from cfft.model.rebuild import TeacherSource
from cfft.plugin.kinds import CONFIGURED, OPTIONAL
from cfft.plugin.registry import Registry
from cfft.records import Batch, StepResult
from cfft.runtime.files import user_path
from cfft.runtime.json_files import as_json
from cfft.runtime.outputs import appearing
from cfft.runtime.randomness import generator
from cfft.scoring.loaded_model import LoadedModel, require_pixels
from cfft.step.engine import TrainingStep
from cfft.training import prepare
from cfft.training.evaluator import mean_variance
from cfft.training.prepare import balanced_weights
from cfft.training.starting_model import describe_start, pretrained_model, with_starting_head
from cfft.training.text_towers import terms_with_text

_KINDS = tuple(kind for kind in CONFIGURED if kind not in ("backbone", "suite"))


def starting_model(
    *,
    model: str,
    classes: Sequence[str],
    pretrained: str | Path | None = None,
    head: str | None = None,
    prompts: str | Path | None = None,
    examples: Iterable[tuple[Tensor, Tensor]] = (),
    **parameters: Any,
) -> LoadedModel:
    """Return a pre-trained model with the head that fine-tuning starts from, on the CPU.

    `classes`: class names by index, as in prompts. `model`, `pretrained`, `head`, `prompts` and
    `parameters`, those of the backbone (`quick_gelu=True`): as the options of `cfft run`.
    `examples`: batches of training images [B, 3, H, W], float in 0..1 and of the model's size,
    and labels [B], int64; read where the head is a linear probe and for nothing else. Raises a
    CfftError whose lines are those of the command line.

        model = cfft.starting_model(model="ViT-B-32", pretrained="openai", classes=["cat", "dog"])
        model.classifier(images).logits
    """
    keywords = given(locals(), besides=("classes", "examples"))
    if isinstance(classes, str) or len(classes) < 2:
        raise ConfigError(f"classes must be a list of two names or more, got {classes!r:.60}")
    config = _configured(keywords, ("backbone",), (Model,), {})
    built = pretrained_model(config)
    for line in built.warnings:
        warnings.warn(line, stacklevel=2)
    described = describe_start(config, built, tuple(classes))
    return with_starting_head(built, described, lambda: _features(built, examples))


def training_step(
    student: Classifier | LoadedModel,
    *,
    mask: str | None = None,
    fill: str | None = None,
    threshold: float | None = None,
    cam: str | None = None,
    loss: str | Sequence[str] | None = None,
    teacher: str | Sequence[str] | None = None,
    recipe: str | Path | None = None,
    config: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    seed: int | None = None,
    **parameters: Any,
) -> CounterfactualStep:
    """Return the objective of counterfactual fine-tuning as a module for your own loop.

    `student`: what `cfft.load` or `cfft.starting_model` returned, or its classifier; it is trained
    in place, and teachers that follow the pre-trained model are frozen copies of it as it is now.
    Of a bare classifier nothing says backbone and classes: defaults are those for open_clip, and no
    teacher can be read from a file.

    The keywords are those options of `cfft run` that say what is learnt, with its defaults: None in
    the signature means not given; parameters of strategies are given in short (`rate=0.5`) or in
    full (`**{"loss.feature-mse.weight": 6}`). What a recipe or file says of images, model and
    optimiser has no effect. Raises a CfftError whose lines are those of the command line.

        step = cfft.training_step(model, mask="object", fill="single", threshold=0.5)
        optimizer = torch.optim.AdamW(step.student.parameters(), lr=3e-5)
        for images, labels in loader:
            step(images, labels).total.backward()
            optimizer.step()
            optimizer.zero_grad()
    """
    keywords = given(locals(), besides=("student",))
    if not isinstance(student, (Classifier, LoadedModel)):
        raise ConfigError(
            "training_step takes what cfft.load or cfft.starting_model returned, or its "
            f"classifier; got a {type(student).__name__}"
        )
    description = None if isinstance(student, Classifier) else student.description
    named = {"name": f"{description.backbone}:{description.rebuild}"} if description else {}
    resolved = _configured(keywords, _KINDS, (), named)
    _refuse_what_only_runs_have(resolved)
    classifier = student if isinstance(student, Classifier) else student.classifier
    source = TeacherSource(classifier, description) if description else _Copies(classifier)
    step = prepare.training_step(resolved, source, classifier)
    for line in source.warnings:
        warnings.warn(line, stacklevel=2)
    return CounterfactualStep(step, resolved.seed)


def save(model: LoadedModel, path: str | Path) -> None:
    """Store a model and its description in a new directory.

    `cfft.load`, `cfft.evaluate` and the commands read it like a checkpoint of a run. Raises
    ConfigError where `path` holds anything.
    """
    if not isinstance(model, LoadedModel):
        raise ConfigError(
            "save takes what cfft.load or cfft.starting_model returned, which training_step trains "
            f"in place; got a {type(model).__name__}"
        )
    place = user_path(path)
    described = as_json(model.description)
    with appearing(place, "meanwhile: the model is in {}".format) as folder:
        checkpoint.write_into(folder, Checkpoint(model.classifier.weights(), described))


class CounterfactualStep(nn.Module):
    """Compute the objective of one batch after another: the step of `cfft.training_step`.

    Every draw comes from (`seed`, purpose, process, `number`), `number` being that of the batch,
    counted from 0: two calls in the same state draw the same, and `state_dict` keeps the number.
    The student is trained, the teachers never are. It may be moved, compiled, and wrapped for
    several processes, which draw independently. Maps need gradients: do not call it under
    `torch.no_grad()`.
    """

    def __init__(self, step: TrainingStep, seed: int) -> None:
        super().__init__()
        self.step, self.seed, self.number = step, seed, 0
        self.to(next(step.student.parameters()).device)

    @property
    def student(self) -> Classifier:
        """The model that is trained."""
        return self.step.student

    def forward(self, images: Tensor, labels: Tensor) -> StepResult:
        """Return the objective: `total` [], to be propagated, and its un-weighted `terms`.

        `images`: [B, 3, H, W], float in 0..1, of the student's size and not normalised. `labels`:
        [B], int64, 0 <= label < K. Values are checked in the first batch alone, as later checks
        would wait for the device. Raises DataError for others, ValueError for shapes and dtypes
        that change later, and ConfigError where a teacher's feature variance is not measured.
        """
        if self.number == 0:
            require_pixels(images)
            _require_labels(labels, len(self.student.head.weight))
        for label in self._relative:
            if self.step.teacher(label).feature_variance is None:
                raise ConfigError(
                    f"a loss is relative to the features of teacher '{label}': before the first "
                    "step call measure_feature_variance(batches of training images)"
                )
        if "class.weights" in self.step.needs and self.step.class_weights is None:
            raise ConfigError(
                "the task or a loss weighs classes by their sizes: before the first step call "
                "count_classes(labels of all training images)"
            )
        is_distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        process = torch.distributed.get_rank() if is_distributed else 0
        number = self.number
        measure = self.step.rehearse if self.number == 0 else self.step.measure
        result = measure(
            Batch(images, labels),
            lambda purpose: generator(self.seed, purpose, process, number),
        )
        self.number += 1
        return result

    def measure_feature_variance(self, batches: Iterable[Tensor | Sequence[Tensor]]) -> None:
        """Measure what losses relative to a teacher's features are divided by.

        `batches`: training images as `forward` takes them, alone or as pairs with labels; some
        2,000 images are enough. Raises ConfigError for none.
        """
        found: dict[str, list[Tensor]] = {label: [] for label in self._relative}
        for batch in batches:
            images = batch if isinstance(batch, Tensor) else batch[0]
            for label, features in found.items():
                features.append(self.step.teacher(label)(images).features)
        for label, features in found.items():
            if not features:
                raise ConfigError("measure_feature_variance: give batches of training images")
            self.step.teacher(label).feature_variance = mean_variance(torch.cat(features)).float()

    def count_classes(self, labels: Sequence[int]) -> None:
        """Take the sizes of the classes from the labels of all training images.

        They are what `class_weights` balances. Raises DataError for labels that no class has.
        """
        classes = self.student.head.weight
        _require_labels(torch.tensor(labels), len(classes))
        self.step.class_weights = balanced_weights(labels, len(classes)).to(classes.device)

    def get_extra_state(self) -> dict[str, int]:
        """Return the number of the next batch, for `state_dict`."""
        return {"number": self.number}

    def set_extra_state(self, state: Mapping[str, int]) -> None:
        """Take the number of the next batch from a `state_dict`."""
        self.number = state["number"]

    @property
    def _relative(self) -> list[str]:
        needs = {label: self.step.teacher(label).needs for label in self.step.labels}
        return [label for label, needed in needs.items() if "teacher.feature_variance" in needed]


def _require_labels(labels: object, classes: int) -> None:
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.ndim != 1:
        kind = (
            f"{labels.dtype} {list(labels.shape)}" if isinstance(labels, Tensor) else type(labels)
        )
        raise DataError(f"labels must be a tensor [B] of int64, got {kind}")
    low, high = labels.aminmax()
    if low < 0 or high >= classes:
        raise DataError(f"labels must be 0 to {classes - 1}, got {int(low)} to {int(high)}")


@attrs.frozen(eq=False)
class _Copies:
    """Give teachers copies of a student whose architecture and classes nothing says."""

    student: Classifier
    warnings: tuple[str, ...] = ()

    def pretrained(self) -> Classifier:
        return deepcopy(self.student).to("cpu", torch.float32)

    def load(self, path: Path) -> Classifier:
        raise ConfigError(
            f"{path}: nothing says whether this model fits a bare classifier: give training_step "
            "what cfft.load or cfft.starting_model returned"
        )


def _configured(
    keywords: Mapping[str, Any],
    kinds: Sequence[str],
    tables: Sequence[type[Any]],
    model: Mapping[str, str],
) -> RunConfig:
    """Resolve keywords of `kinds` and `tables`; images, and a model if none is named, stand by."""
    registry, embedded = Registry.installed(), read_recipe(EMBEDDED)
    asks_model = Model in tables
    named = {"model": dict(model or ({} if asks_model else embedded.settings["model"]))}
    below = Layer("caller", chosen={"suite": embedded.chosen["suite"]}, settings=named)
    asked = Keywords(registry, kinds, tables, not asks_model)
    above = [] if asks_model else [below]  # whatever a recipe or file says of images and model
    return resolve(registry, [*asked.layers(keywords, [below]), *above])


def _refuse_what_only_runs_have(config: RunConfig) -> None:
    if config.stages:
        names = ", ".join(stage.name for stage in config.stages)
        raise ConfigError(
            f"this recipe or file has stages ({names}), which cfft.run trains first: training_step "
            "trains none, choose another one"
        )
    for each in (config.adaptation, config.average, config.merge):
        if each is not None and (each.kind in OPTIONAL or each.name != usual(each.kind)):
            raise ConfigError(
                f"{each.kind} '{each.name}' is what cfft.run carries out: training_step gives the "
                "objective alone, leave it out or choose another recipe"
            )
    for who in terms_with_text(config):
        raise ConfigError(
            f"{who} compares images with prompts, which training_step cannot do, as the model that "
            "it takes has no text tower any more: train with cfft.run or `cfft run`"
        )


def _features(
    built: Pretrained, examples: Iterable[tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor]:
    """Return features [N, D] and labels [N] of batches of images; raises ConfigError for none."""
    with torch.no_grad():
        found = [(built.encoder(images), labels) for images, labels in examples]
    if not found:
        raise ConfigError(
            "head 'linear-probe' is fitted to training images: give examples, batches of images "
            "and labels, or another head"
        )
    features, labels = zip(*found, strict=True)
    return torch.cat(features), torch.cat(labels)
