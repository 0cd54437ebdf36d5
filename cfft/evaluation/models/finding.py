"""Find the models that a user names: runs, checkpoints, weight files, and the one before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

from cfft.config.layers import Layer, read_defaults, read_file
from cfft.errors import ConfigError
from cfft.model.description import ModelDescription, find_weights, read_description
from cfft.runtime.patterns import paths_called
from cfft.training.run_directory import RunDirectory

STARTS = ("zero-shot", "pretrained")
"""Words for the model before fine-tuning; both mean the same."""
_WANTED = (
    "a run directory, a checkpoint directory, a weight file, a pattern of them in quotes, or "
    f"{STARTS[0]} for the model before fine-tuning"
)
_KINDS = ("suite", "backbone")
_CHECKPOINTS = "checkpoints"
_SUFFIXES = frozenset((".safetensors", ".pt", ".pth", ".bin"))


@attrs.frozen
class Found:
    """Hold a model; `text`: its path, or the word for the one before, whose `path` is None."""

    text: str
    path: Path | None

    @property
    def run(self) -> RunDirectory | None:
        """The run that the model is, None of anything else."""
        run = None if self.path is None else RunDirectory(self.path)
        return run if run is not None and run.config.is_file() else None

    @property
    def trained_by(self) -> RunDirectory | None:
        """The run that it is, or in whose checkpoints it lies; None where nothing says it."""
        return self.run or _run_around(self)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the runs that trained it; empty where nothing says them.

        A checkpoint of an older cfft is asked for the configuration of the run that it lies in.
        """
        if self.run is not None:
            return (self.run.read_seed(),)
        description = _description(self)
        if description is not None and description.seeds:
            return description.seeds
        return () if self.trained_by is None else (self.trained_by.read_seed(),)

    @property
    def seed(self) -> int | None:
        """The one seed that it was trained with; None where nothing says it and for several."""
        return self.seeds[0] if len(self.seeds) == 1 else None

    @property
    def is_bare(self) -> bool:
        """Whether nothing beside its weights says which architecture they have."""
        stored = self.path is not None and self.run is None
        return stored and _description(self) is None


def find_models(asked: Sequence[str]) -> list[Found]:
    """Return the models that `asked` names, each once and in order.

    A pattern with *, ? or [] stands for the runs, checkpoints and weight files that match it.
    Raises ConfigError for a name that is nothing, a WeightsError for a directory without weights.
    """
    found = [model for text in asked for model in _find(text)]
    return list({_place(model): model for model in found}.values())


def matching(text: str, wanted: str) -> list[Path]:
    """Return the path called `text`, or what it matches as a pattern, sorted.

    Raises ConfigError, with `wanted` as what to give instead, where that is nothing.
    """
    paths = paths_called(text)
    if not paths:
        raise ConfigError(f"nothing is called '{text}': give {wanted}")
    return paths


def labels(found: Sequence[Found]) -> list[str]:
    """Return a short name for each: the end of its path, as long as needed to tell them apart."""
    longest = max((len(_parts(model)) for model in found), default=1)
    return [
        next(
            name
            for count in range(1, longest + 1)
            if (name := _tail(model, count)) not in _others(found, model, count)
        )
        for model in found
    ]


def model_layers(found: Iterable[Found], asked: Layer) -> list[Layer]:
    """Return what says which images and which model are meant, lowest first.

    Above the defaults lies the configuration of the first run, without any the description of the
    first checkpoint, and above that `asked`. Of the objective of training nothing is left.
    """
    runs_first = sorted(found, key=lambda model: model.run is None)
    own = next(filter(None, map(_own_layer, runs_first)), None)
    return [_without_objective(layer) for layer in (read_defaults(), own, asked) if layer]


def run_layers(config: Path) -> list[Layer]:
    """Return what says which images and which model a run had, from its config.toml."""
    return [_without_objective(layer) for layer in (read_defaults(), read_file(config))]


def _find(text: str) -> Iterator[Found]:
    if text in STARTS:
        yield Found(text, None)
        return
    paths = matching(text, _WANTED)
    models = paths if Path(text).exists() else [path for path in paths if _is_model(path)]
    if not models:
        raise ConfigError(f"'{text}' matches no run, checkpoint or weight file")
    for path in models:
        find_weights(path)
        yield Found(str(path), path)


def _is_model(path: Path) -> bool:
    if path.is_dir():
        return any(path.glob(f"{_CHECKPOINTS}/best*/*")) or (path / "manifest.json").is_file()
    return path.suffix in _SUFFIXES


def _own_layer(model: Found) -> Layer | None:
    if model.path is None:
        return None
    if model.run is not None:
        return read_file(model.run.config)
    description = _description(model)
    if description is None:
        return None
    name = f"{description.backbone}:{description.rebuild}"
    return Layer(str(model.path), seed=model.seed, settings={"model": {"name": name}})


def _description(model: Found) -> ModelDescription | None:
    return None if model.path is None else read_description(find_weights(model.path).parent)


def _run_around(model: Found) -> RunDirectory | None:
    """Return the run among whose checkpoints a model lies, None of any other."""
    if model.path is None:
        return None
    checkpoints = find_weights(model.path).resolve().parent.parent
    run = RunDirectory(checkpoints.parent)
    return run if checkpoints.name == _CHECKPOINTS and run.config.is_file() else None


def _without_objective(layer: Layer) -> Layer:
    return attrs.evolve(
        layer,
        chosen={kind: picks for kind, picks in layer.chosen.items() if kind in _KINDS}
        | {"loss": ()},
        values={key: values for key, values in layer.values.items() if key[0] in _KINDS},
        loose={kind: values for kind, values in layer.loose.items() if kind in _KINDS},
    )


def _place(model: Found) -> Path | None:
    return None if model.path is None else model.path.resolve()


def _parts(model: Found) -> tuple[str, ...]:
    return (model.text,) if model.path is None else model.path.absolute().parts


def _tail(model: Found, count: int) -> str:
    parts = _parts(model)
    least = len(parts) - parts.index(_CHECKPOINTS) + 1 if _CHECKPOINTS in parts else 1
    return "/".join(parts[-max(count, least) :])


def _others(found: Sequence[Found], model: Found, count: int) -> set[str]:
    return {_tail(other, count) for other in found if other is not model}
