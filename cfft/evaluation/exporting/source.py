"""The model that is exported, and the one before fine-tuning, whose text tower goes along."""

from __future__ import annotations

from contextlib import suppress

from cfft.config.embedded import EMBEDDED
from cfft.config.layers import Layer, read_defaults, read_recipe, read_stored
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.errors import CfftError, ConfigError, WeightsError
from cfft.evaluation.models.finding import ModelRef, find_models, model_layers
from cfft.model.description import ModelDescription, read_model
from cfft.model.exporter import ExportSource
from cfft.model.pretrained import Pretrained
from cfft.model.rebuild import described, rebuild
from cfft.model.weights import contradictions
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Reporter
from cfft.training.run_directory import RunDirectory
from cfft.training.starting_model import configured_model
from cfft.training.text_towers import terms_with_text

_OF_THE_TOWER = ("library", "width", "layers", "heads", "patch", "features")
"""The facts that a text tower's model must share; its size of images may be another."""


def find_model(asked: str) -> tuple[ModelRef, ModelDescription]:
    """Return the model that a user names with its description; no weights are read.

    Raises ConfigError where it is none or several, WeightsError where nothing says which model it
    is.
    """
    found = find_models([asked])
    if len(found) != 1 or found[0].path is None:
        several = f"'{asked}' is {len(found)} models" if len(found) > 1 else f"'{asked}' is none"
        raise ConfigError(
            f"{several}: give one run directory, checkpoint directory or weight file in one"
        )
    known = found[0].description
    if known is None:
        known = described(read_model(found[0].path))  # says what is wrong with it
    return found[0], known


def load_source(
    ref: ModelRef,
    known: ModelDescription,
    asked: Layer,
    registry: Registry,
    reporter: Reporter,
    *,
    with_text: bool,
) -> ExportSource:
    """Build the model; `with_text`: also the one before fine-tuning, that its run or `asked` names.

    Raises WeightsError and ConfigError as both do, and where that has no text tower.
    """
    start = _start(ref, known, asked, registry, reporter) if with_text else None
    assert ref.path is not None, "find_model gives paths alone"
    classifier = rebuild(read_model(ref.path), registry).eval().requires_grad_(False)
    return ExportSource(classifier, known, start)


def _start(
    ref: ModelRef, known: ModelDescription, asked: Layer, registry: Registry, reporter: Reporter
) -> Pretrained:
    config = _source_config(ref, known, asked, registry)
    built = configured_model(config)
    if not built.trained:
        raise ConfigError(
            f"{ref.text} holds no text tower, and no weights are known that it was fine-tuned "
            "from: give --pretrained TAG or --pretrained FILE"
        )
    for line in built.warnings:
        reporter.warned(line)
    facts = (
        {k: each.get(k, "") for k in _OF_THE_TOWER} for each in (built.identity, known.identity)
    )
    problems = contradictions(*facts)
    if problems:
        raise WeightsError(
            f"{config.model.name} is another model than {ref.text} was fine-tuned from: "
            f"{'; '.join(problems)}: give --model and --pretrained of that one"
        )
    if built.text is None:
        weights = config.model.pretrained or config.model.name
        raise WeightsError(
            f"{weights} has no text tower that cfft can read: give --pretrained with weights of "
            "both towers, or choose a format without text"
        )
    if ref.trained_by is not None and _trained_text(ref.trained_by, registry):
        reporter.warned(
            "the text tower was trained too, and checkpoints do not keep it: the export has the "
            "tower from before fine-tuning, its head what the trained one made of the classes"
        )
    return built


def _source_config(
    ref: ModelRef, known: ModelDescription, asked: Layer, registry: Registry
) -> RunConfig:
    """Return a configuration of the model before fine-tuning; the images in it mean nothing."""
    trained_by = ref.trained_by
    own = ref if trained_by is None else ModelRef(ref.text, trained_by.root)
    if own.run is None:
        name = known.name if known.name.startswith("{") else _prefixed(known)
        own_layer = Layer(str(ref.path), settings={"model": {"name": name}})
        lowest, *above = model_layers([], asked)
        layers = [lowest, own_layer, *above]
    else:
        layers = model_layers([own], asked)
    images = Layer("export", chosen={"suite": read_recipe(EMBEDDED).chosen["suite"]})
    return resolve(registry, [layers[0], images, *layers[1:]])


def _prefixed(known: ModelDescription) -> str:
    return f"{known.backbone}:{known.name}"


def _trained_text(run: RunDirectory, registry: Registry) -> bool:
    """Tell whether a run trained its text tower; False where its plug-ins are gone."""
    with suppress(CfftError):
        config = resolve(registry, [read_defaults(), read_stored(run.config)])
        return any("student.text" in needs for needs in terms_with_text(config).values())
    return False
