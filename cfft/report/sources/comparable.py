"""Models that can stand side by side in a report, and notes on images that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cfft.config.comparison import Agreement, same_images
from cfft.data.fingerprint import fingerprint
from cfft.data.folders import composed
from cfft.errors import ConfigError, counted
from cfft.report.sources.records import Material, ReportedModel
from cfft.runtime.outside import shell_word
from cfft.scoring.predictions import read_images


def require_alike(material: Material, models: Sequence[ReportedModel]) -> None:
    """Raise ConfigError where `models` of `material` have other classes, suites or label spaces.

    What a source does not say is not compared: imports say nothing, older files not everything.
    Settings of one suite may differ unless predictions show that the images do: some settings say
    which sets are measured, or what is trained on; see `other_settings`. Raises DataError for
    predictions that cfft did not write.
    """
    _check_classes(material)
    _check_suites(material, models)
    _check_label_spaces(material, models)


def other_settings(material: Material, models: Sequence[ReportedModel]) -> Iterator[str]:
    """Name sources with other settings of their suite where no images show what that changed."""
    for first, source, changed in _changed_suites(material, models):
        if _shown_alike(models, first, source) is None:
            yield (
                f"The suites of {first} and {source} have different settings ({changed}): their "
                "images may differ."
            )


def require_shared_sets(models: Sequence[ReportedModel]) -> None:
    """Raise ConfigError for a model that shares no set with others, and for sets of two roles."""
    counts = Counter(name for model in models for name in model.sets)
    for model in models:
        if len(models) > 1 and all(counts[name] == 1 for name in model.sets):
            others = [name for name in counts if name not in model.sets]
            raise ConfigError(
                f"{model.label} ({model.source}) shares no set with any other model: it has "
                f"{', '.join(model.sets)}, the others {', '.join(others)}; report them separately"
            )
    _check_roles(models)


def other_counts(models: Sequence[ReportedModel]) -> Iterator[str]:
    """Name the sets whose number of images differs between sources."""
    for name in dict.fromkeys(name for model in models for name in model.sets):
        sources: dict[int, list[str]] = {}
        for model in models:
            entry = model.sets.get(name)
            if entry is not None and entry.n is not None:
                sources.setdefault(entry.n, []).append(model.source)
        if len(sources) > 1:
            found = (
                f"{counted(n, 'image')} in {', '.join(dict.fromkeys(of))}"
                for n, of in sources.items()
            )
            yield f"Accuracies on {name} were measured on different images: {'; '.join(found)}."


def _check_classes(material: Material) -> None:
    known = [
        (source, tuple(map(composed, names))) for source, names in material.classes.items() if names
    ]
    for source, names in known[1:]:
        first, expected = known[0]
        if names != expected:
            raise ConfigError(
                f"{first} and {source} have different classes "
                f"({_first_difference(expected, names)}): report them separately"
            )


def _first_difference(one: Sequence[str], other: Sequence[str]) -> str:
    if len(one) != len(other):
        return f"{len(one)} and {len(other)}"
    index = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    return f"class {index} is '{one[index]}' and '{other[index]}'"


def _check_suites(material: Material, models: Sequence[ReportedModel]) -> None:
    for first, source, changed in _changed_suites(material, models):
        is_other = material.suites[first].get("use") != material.suites[source].get("use")
        if is_other or _shown_alike(models, first, source) is False:
            raise ConfigError(
                f"{first} and {source} have different suites and images ({changed}): report them "
                "separately"
            )


def _changed_suites(
    material: Material, models: Sequence[ReportedModel]
) -> Iterator[tuple[str, str, Agreement]]:
    sources = {model.source for model in models}
    first, *others = [source for source in material.suites if source in sources] or [""]
    for source in others:
        images = same_images(material.suites[first], material.suites[source], wherever=True)
        if not images:
            yield first, source, images


def _shown_alike(models: Sequence[ReportedModel], *sources: str) -> bool | None:
    """Tell whether models of one seed have the same images; None where nothing shows it.

    Other seeds may have other test images by rights.
    """
    one, other = (_images([m for m in models if m.source == source]) for source in sources)
    shared = one.keys() & other.keys()
    return all(one[key] == other[key] for key in shared) if shared else None


def _images(models: Sequence[ReportedModel]) -> dict[tuple[int | None, str], str]:
    return {
        (model.seed, name): fingerprint(*read_images(path))
        for model in models
        for name, path in model.files.items()
    }


def _check_label_spaces(material: Material, models: Sequence[ReportedModel]) -> None:
    full = next((model.source for model in models if model.label_space == "full"), None)
    narrower = (m for m in models if m.label_space == "subset" and not _has_all(material, m))
    subset = next((model.source for model in narrower), None)
    if full is not None and subset is not None:
        raise ConfigError(
            f"{subset} was judged among the classes of each set (label space subset), {full} among "
            "all classes (full): report them separately, or judge one anew with cfft eval "
            f"--from-predictions {shell_word(full)} --label-space subset --out DIR"
        )


def _has_all(material: Material, model: ReportedModel) -> bool:
    classes = len(material.classes.get(model.source, ()))
    return all(found.classes == classes for found in model.sets.values())


def _check_roles(models: Sequence[ReportedModel]) -> None:
    roles: dict[str, tuple[str, str]] = {}
    for model in models:
        for name, accuracy in model.sets.items():
            role, first = roles.setdefault(name, (accuracy.role, model.label))
            if role != accuracy.role:
                raise ConfigError(
                    f"set '{name}' is {role.upper()} for {first} and {accuracy.role.upper()} for "
                    f"{model.label}: report them separately (--id NAME says what is ID in imports)"
                )
