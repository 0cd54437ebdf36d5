"""Choice of the sets of a published suite, shared by `imagenet` and `cifar10`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from cfft import (
    ConfigError,
    DataError,
    EvaluationSets,
    ImageSet,
    SuiteSets,
    shortened_list,
    unknown_name,
)

from .parts import hold_out, open_each

CORRUPTIONS: Mapping[str, tuple[str, ...]] = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
}
"""The 15 corruptions of ImageNet-C and CIFAR-10-C by group (Hendrycks and Dietterich, 2019)."""


@attrs.frozen
class NamedSource:
    """Describe a set that a suite knows.

    `looked_for`: the paths below the suite's directory that it may lie at. `open`: gives the set,
    or None where none of them is there.
    """

    name: str
    looked_for: tuple[str, ...]
    open: Callable[[], ImageSet | None]


@attrs.frozen
class Selection:
    """Hold the user's choice of sets by name.

    `sets`: None takes the suite's standard ones that are there. `corruptions`: None takes none;
    each is measured at all `severities`.
    """

    sets: tuple[str, ...] | None
    corruptions: tuple[str, ...] | None
    severities: tuple[int, ...]

    def check(self, suite: str, known: Collection[str], test: str) -> None:
        """Raise ConfigError for unknown names and for shifts of two sorts in one OOD average.

        `known`: the names of the suite's sets. `test`: which of them is the ID set.
        """
        for name in (name for name in self.sets or () if name not in known):
            raise ConfigError(f"suite.{suite}.sets: {unknown_name('set', name, known)}")
        names = _corruption_names()
        for name in (name for name in self.corruptions or () if name not in names):
            raise ConfigError(
                f"suite.{suite}.corruptions: {unknown_name('corruption', name, names)}"
            )
        if not self.severities or len(set(self.severities)) < len(self.severities):
            given = "/".join(map(str, self.severities)) or "none"
            raise ConfigError(f"suite.{suite}.severities: got {given}; give one or more, each once")
        others = [name for name in self.sets or () if name != test]
        if self.corruptions and others:
            raise ConfigError(
                f"suite.{suite}: got corruptions and the set {others[0]}; one OOD average cannot "
                "mean both: measure them in two evaluations"
            )

    def corruption_names(self) -> tuple[str, ...]:
        """List the chosen corruptions, groups resolved, in the order of CORRUPTIONS."""
        chosen = set(self.corruptions or ())
        return tuple(
            name
            for group, names in CORRUPTIONS.items()
            for name in names
            if chosen & {"all", group, name}
        )

    @property
    def required(self) -> tuple[str, ...]:
        """The sets that the user asked for by name."""
        return (*(self.sets or ()), *self.corruption_names())

    def set_names(self, standard: Sequence[str], test: str) -> tuple[str, ...]:
        """List the chosen sets, the ID set `test` alone beside corruptions."""
        if self.sets:
            return tuple(dict.fromkeys(self.sets))
        return (test,) if self.corruptions else tuple(standard)


@attrs.frozen(eq=False)
class Found:
    """Hold the sets of a suite that exist, by name.

    `absent`: what was looked for of sets that are not there. `refused`: why sets could not be
    opened, or are not there though the user named them.
    """

    sets: Mapping[str, ImageSet]
    absent: Mapping[str, str]
    refused: Mapping[str, str]

    def for_evaluation(
        self, classes: Iterable[str], test: str, corrupted: Sequence[ImageSet] = ()
    ) -> EvaluationSets:
        """Put the sets together: `test` is the ID set, all others are OOD."""
        ood = tuple(images for name, images in self.sets.items() if name != test)
        return EvaluationSets(
            classes=tuple(classes),
            test=self.sets.get(test),
            ood=(*ood, *corrupted),
            absent=self.absent,
            refused=self.refused,
        )


def open_sources(data: Path, sources: Sequence[NamedSource], chosen: Selection) -> Found:
    """Open the sets that exist; raises DataError where none does, unless the user named some."""
    opened, refused = open_each({source.name: source.open for source in sources})
    there = {name: images for name, images in opened.items() if images is not None}
    missing = [s for s in sources if s.name not in there and s.name not in refused]
    named = [source for source in missing if source.name in chosen.required]
    if len(missing) == len(sources) and not named:
        raise DataError(
            f"--data {data}: none of {_names(sources)} is there; looked for "
            f"{', '.join(_places(sources))}"
        )
    return Found(
        sets=there,
        absent={
            source.name: f"looked for {_either(source.looked_for)} in {data}"
            for source in missing
            if source not in named
        },
        refused={**refused, **dict.fromkeys((s.name for s in named), _lacking(data, named))},
    )


def around(
    training: ImageSet, held_out: int, seed: int, test: ImageSet, measured: EvaluationSets
) -> SuiteSets:
    """Put the sets that are measured beside training images, `held_out` of them for validation.

    Raises as `hold_out` does.
    """
    train, val = hold_out(training, held_out, seed)
    return SuiteSets(
        classes=measured.classes,
        train=train,
        val=val,
        test=test,
        ood=measured.ood,
        refused=measured.refused,
        absent=measured.absent,
    )


def first_folder(data: Path, places: Sequence[str]) -> Path | None:
    """Return the first of `places` below `data` that is a directory, or None."""
    return next((data / place for place in places if (data / place).is_dir()), None)


def _either(places: Sequence[str]) -> str:
    *most, last = places
    return f"{', '.join(most)} or {last}" if most else last


def _lacking(data: Path, named: Sequence[NamedSource]) -> str:
    return f"{data} lacks {_names(named)}; looked for {shortened_list(_places(named))}"


def _names(sources: Sequence[NamedSource]) -> str:
    return ", ".join(source.name for source in sources)


def _places(sources: Sequence[NamedSource]) -> list[str]:
    return [place for source in sources for place in source.looked_for]


def _corruption_names() -> tuple[str, ...]:
    return ("all", *CORRUPTIONS, *(name for names in CORRUPTIONS.values() for name in names))
