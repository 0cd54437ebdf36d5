"""Read accuracies that others measured: JSON lines, one model each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cfft.errors import ConfigError, DataError
from cfft.evaluation.files.json_lines import ModelFacts, accuracies, read_lines
from cfft.report.sources.records import ID, OOD, Material, ReportedModel
from cfft.runtime.json_files import structured
from cfft.scoring.results import SetResult

_NAMES = ("model_name", "model", "name")
# sets of the training distribution in published files; ImageNet2p is 2 % of its training images
_IN_DISTRIBUTION = ("ImageNet", "ImageNet2p")


def read_imports(paths: Sequence[Path], id_sets: Sequence[str]) -> Material:
    """Read models from JSON lines: a name, shares of 0..1 by set, maybe group, seed and alpha.

    The name stands in `model_name`, `model` or `name`; other texts are left out. `id_sets`: the
    sets that are in distribution, those that a file has; without any of them the well-known ones,
    and without these the first set of the file. Raises DataError with the number of a line.
    """
    return Material(models=tuple(m for path in paths for m in _read_file(path, id_sets)))


def _read_file(path: Path, id_sets: Sequence[str]) -> list[ReportedModel]:
    lines = list(read_lines(path))
    if not lines:
        raise DataError(f"{path}: no models, wanted one JSON object per line")
    shares = [accuracies(line, place) for place, line in lines]
    ids = _in_distribution(list(dict.fromkeys(name for own in shares for name in own)), id_sets)
    models: dict[str, ReportedModel] = {}
    for (place, line), own in zip(lines, shares, strict=True):
        name = _model_name(line, place)
        if name in models:
            raise DataError(f"{place}: model '{name}' was named before: names must differ")
        known = structured(line, ModelFacts, place)
        models[name] = _model(name, known, own, ids, path)
    return list(models.values())


def _in_distribution(names: Sequence[str], asked: Sequence[str]) -> Sequence[str]:
    for wanted in (asked, _IN_DISTRIBUTION):
        if found := [name for name in wanted if name in names]:
            return found
    return names[:1]


def _model_name(line: Mapping[str, Any], place: str) -> str:
    found = next((line[key] for key in _NAMES if key in line), None)
    if not isinstance(found, str):
        raise DataError(f"{place}: no name of the model: give it as {', '.join(_NAMES)}")
    return found


def _model(
    name: str, known: ModelFacts, own: Mapping[str, float], ids: Sequence[str], path: Path
) -> ReportedModel:
    sets = {key: SetResult(ID if key in ids else OOD, share) for key, share in own.items()}
    first = {key: sets[key] for key in ids if key in sets}
    return ReportedModel(
        label=name,
        source=str(path),
        kind="weights",
        group=known.group or name,
        sets={**first, **sets},
        seed=known.seed,
        alpha=known.alpha,
    )


def require_known(id_sets: Sequence[str], models: Sequence[ReportedModel]) -> None:
    """Raise ConfigError for an ID set that was asked for and that no model has."""
    known = dict.fromkeys(name for model in models for name in model.sets)
    for name in id_sets:
        if name not in known:
            raise ConfigError(f"--id {name}: no model has it; there are: {', '.join(known)}")
