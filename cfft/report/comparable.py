"""What can stand side by side in a report, and what readers must know of pictures that differ."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cfft.errors import ConfigError, counted
from cfft.evaluation.measured import digest
from cfft.evaluation.stored import suite_differences
from cfft.predictions import Predictions
from cfft.report.records import Material, Model


def require_alike(material: Material) -> None:
    """Raise ConfigError for sources with other classes, suites or label spaces.

    What a source does not say is not compared: imports say nothing, older files not everything.
    Settings of one suite may differ where predictions show that the pictures are the same: some
    settings say which sets are measured, or what is trained on. Raises DataError for predictions
    that cfft did not write.
    """
    _check_classes(material)
    _check_suites(material)
    _check_label_spaces(material.models)


def require_shared_sets(models: Sequence[Model]) -> None:
    """Raise ConfigError for a model that shares no set with others, and for sets of two roles."""
    counts = Counter(name for model in models for name in model.sets)
    for model in models:
        if len(models) > 1 and all(counts[name] == 1 for name in model.sets):
            others = [name for name in counts if name not in model.sets]
            raise ConfigError(
                f"{model.label} ({model.source}) shares no set with any other model: it has "
                f"{', '.join(model.sets)}, the others {', '.join(others)}; report them apart"
            )
    _check_roles(models)


def other_counts(models: Sequence[Model]) -> Iterator[str]:
    """Say which sets have not as many pictures for all models, and where they have how many."""
    for name in dict.fromkeys(name for model in models for name in model.sets):
        sources: dict[int, list[str]] = {}
        for model in models:
            entry = model.sets.get(name)
            if entry is not None and entry.n is not None:
                sources.setdefault(entry.n, []).append(model.source)
        if len(sources) > 1:
            found = (f"{counted(n, 'picture')} in {_listed(of)}" for n, of in sources.items())
            yield f"Accuracies on {name} are of different pictures: {'; '.join(found)}."


def _listed(sources: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(sources))


def _check_classes(material: Material) -> None:
    known = [(source, names) for source, names in material.classes.items() if names]
    for source, names in known[1:]:
        first, expected = known[0]
        if names != expected:
            raise ConfigError(
                f"{first} and {source} have different classes "
                f"({_first_difference(expected, names)}): report them apart"
            )


def _first_difference(one: Sequence[str], other: Sequence[str]) -> str:
    if len(one) != len(other):
        return f"{len(one)} and {len(other)}"
    index = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    return f"class {index} is '{one[index]}' and '{other[index]}'"


def _check_suites(material: Material) -> None:
    known = list(material.suites.items())
    for source, settings in known[1:]:
        first, expected = known[0]
        changed = suite_differences(expected, settings)
        is_other_suite = expected.get("use") != settings.get("use")
        if changed and (is_other_suite or not _have_same_pictures(material, first, source)):
            raise ConfigError(
                f"{first} and {source} have different suites ({'; '.join(changed)}), and no "
                "predictions show that their pictures are the same: report them apart"
            )


def _have_same_pictures(material: Material, *sources: str) -> bool:
    one, other = (_pictures(material, source) for source in sources)
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[name] and one[name] == other[name] for name in shared)


def _pictures(material: Material, source: str) -> dict[str, str | None]:
    """Return a digest of the pictures of each set of a source, None where nothing tells them."""
    models = (model for model in material.models if model.source == source)
    told = max(models, key=lambda model: len(model.predictions))
    return {name: _digest(told.predictions.get(name)) for name in told.sets}


def _digest(path: Path | None) -> str | None:
    if path is None:
        return None
    found = Predictions.load(path)
    return digest(found.names, found.labels.tolist())


def _check_label_spaces(models: Sequence[Model]) -> None:
    known: Mapping[str, Model] = {m.label_space: m for m in models if m.label_space is not None}
    if len(known) > 1:
        subset, full = (known[space].source for space in ("subset", "full"))
        raise ConfigError(
            f"{subset} was judged among the classes of each set (label space subset), {full} among "
            "all classes (full): report them apart, or judge one anew with cfft eval "
            f"--from-predictions {shlex.quote(full)} --label-space subset --out DIR"
        )


def _check_roles(models: Sequence[Model]) -> None:
    roles: dict[str, tuple[str, str]] = {}
    for model in models:
        for name, accuracy in model.sets.items():
            role, first = roles.setdefault(name, (accuracy.role, model.label))
            if role != accuracy.role:
                raise ConfigError(
                    f"set '{name}' is {role.upper()} for {first} and {accuracy.role.upper()} for "
                    f"{model.label}: report them apart (--id NAME says what is ID in imports)"
                )
