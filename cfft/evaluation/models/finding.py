"""Find the models that a user names: runs, checkpoints, weight files, and the one before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

from cfft.config.layers import Layer, read_defaults, read_stored
from cfft.errors import ConfigError
from cfft.model.description import ModelDescription, find_weights, read_description
from cfft.model.weight_paths import split_nest
from cfft.plugin.kinds import KINDS
from cfft.runtime.files import user_path
from cfft.runtime.patterns import paths_called
from cfft.training.run_directory import RunDirectory

STARTS = ("zero-shot", "pretrained")
"""Words for the model before fine-tuning; both mean the same."""
_WANTED = (
    "a run directory, a checkpoint directory, a weight file, a pattern of them in quotes, or "
    f"{STARTS[0]} for the model before fine-tuning"
)
_KINDS = frozenset(("suite", "backbone"))
_ALWAYS = ("task", "adaptation")  # a configuration has them; the defaults do
_CHECKPOINTS = "checkpoints"
_SUFFIXES = frozenset((".safetensors", ".pt", ".pth", ".bin"))


@attrs.frozen
class ModelRef:
    """Name a model on disk, of which nothing is loaded.

    `text`: what the user wrote, or the match of a pattern. `path`: None for the model before
    fine-tuning.
    """

    text: str
    path: Path | None

    @property
    def run(self) -> RunDirectory | None:
        """The run that the model is, None of anything else."""
        run = None if self.path is None else RunDirectory(self.path)
        return run if run is not None and run.config.is_file() else None

    @property
    def trained_by(self) -> RunDirectory | None:
        """The run that it is, or in whose checkpoints it lies; None where unknown."""
        if self.path is None or self.run is not None:
            return self.run
        checkpoints = find_weights(self.path).resolve().parent.parent
        run = RunDirectory(checkpoints.parent)
        return run if checkpoints.name == _CHECKPOINTS and run.config.is_file() else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the runs that trained it; empty where unknown.

        A checkpoint of an older cfft is asked for the configuration of the run that it lies in.
        """
        described = None if self.run else self.description
        if described and described.seeds:
            return described.seeds
        return (self.trained_by.read_seed(),) if self.trained_by else ()

    @property
    def seed(self) -> int | None:
        """The seed that it was trained with; None where unknown and for several."""
        return self.seeds[0] if len(self.seeds) == 1 else None

    @property
    def is_bare(self) -> bool:
        """True where nothing beside its weights names their architecture."""
        return not (self.path is None or self.run or self.description)

    @property
    def description(self) -> ModelDescription | None:
        """The description beside its weights; None without one."""
        return None if self.path is None else read_description(find_weights(self.path).parent)

    @property
    def layer(self) -> Layer | None:
        """The configuration of the run; of anything else, the model that its description names."""
        if self.run is not None:
            return read_stored(self.run.config)
        if self.description is None:
            return None
        name = f"{self.description.backbone}:{self.description.rebuild}"
        return Layer(str(self.path), settings={"model": {"name": name}})


def find_models(asked: Sequence[str]) -> list[ModelRef]:
    """Return the models that `asked` names, each once and in order.

    A pattern with *, ? or [] stands for the runs, checkpoints and weight files that match it.
    Raises ConfigError for a name without a match, WeightsError for a directory without weights.
    """
    found = [model for text in asked for model in _find(text)]
    return list({model.path and model.path.resolve(): model for model in found}.values())


def matching(text: str, wanted: str) -> list[Path]:
    """Return the path `text`, or the paths that it matches as a pattern, sorted.

    Raises ConfigError where nothing is there; `wanted`: what the user should give instead.
    """
    paths = paths_called(text)
    if not paths:
        raise ConfigError(f"'{text}' not found: give {wanted}")
    return paths


def labels(refs: Sequence[ModelRef]) -> list[str]:
    """Return a short name for each: the end of its path, as long as needed to tell them apart."""
    parts = [ref.path.absolute().parts if ref.path else (ref.text,) for ref in refs]
    longest = max(map(len, parts), default=1)
    counts = [Counter(_tail(each, n) for each in parts) for n in range(1, longest + 1)]
    return [
        next(tail for n, seen in enumerate(counts, 1) if seen[tail := _tail(each, n)] == 1)
        for each in parts
    ]


def model_layers(found: Iterable[ModelRef], asked: Layer) -> list[Layer]:
    """Return the layers that choose the images and the model, lowest first.

    Above the defaults lies the configuration of the first run, without any the description of the
    first checkpoint, and above that `asked`. Of the objective of training nothing is left.
    """
    runs_first = sorted(found, key=lambda model: model.run is None)
    layers = ((model.layer, model.seed) for model in runs_first)
    own = next((attrs.evolve(layer, seed=seed) for layer, seed in layers if layer), None)
    above = (_without_objective(layer) for layer in (own, asked) if layer)
    return [_without_objective(read_defaults(), *_ALWAYS), *above]


def run_layers(config: Path) -> list[Layer]:
    """Return the layers that chose the images and the model of a run, from its config.toml."""
    return [_without_objective(read_defaults(), *_ALWAYS), _without_objective(read_stored(config))]


def _find(text: str) -> Iterator[ModelRef]:
    if text in STARTS:
        yield ModelRef(text, None)
        return
    nested = _nested(text)
    if nested:
        yield from (ModelRef(str(path), path) for path in nested)
        return
    paths = matching(text, _WANTED)
    models = paths if user_path(text).exists() else [path for path in paths if _is_model(path)]
    if not models:
        raise ConfigError(f"'{text}' matches no run, checkpoint or weight file")
    for path in models:
        find_weights(path)
        yield ModelRef(str(path), path)


def _nested(text: str) -> list[Path]:
    """Return what `FILE:NEST` or `PATTERN:NEST` names, sorted; nothing where it is neither."""
    if split_nest(user_path(text))[1]:
        return [user_path(text)]
    pattern, colon, nest = text.rpartition(":")
    if not (colon and nest) or "/" in nest or paths_called(text):
        return []
    files = (path for path in paths_called(pattern) if path.is_file() and _is_model(path))
    return [path.with_name(f"{path.name}:{nest}") for path in files]


def _is_model(path: Path) -> bool:
    if path.is_dir():
        return any(path.glob(f"{_CHECKPOINTS}/best*/*")) or (path / "manifest.json").is_file()
    return path.suffix in _SUFFIXES


def _without_objective(layer: Layer, *besides: str) -> Layer:
    kept = layer.without(KINDS.keys() - _KINDS - {*besides})
    kept.chosen["loss"] = ()
    return kept


def _tail(parts: Sequence[str], count: int) -> str:
    least = len(parts) - parts.index(_CHECKPOINTS) + 1 if _CHECKPOINTS in parts else 1
    return "/".join(parts[-max(count, least) :])
