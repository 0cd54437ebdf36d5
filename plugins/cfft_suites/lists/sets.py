"""Sets that the entries of lists make up, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import attrs

from cfft import ConfigError, DataError, ImageFiles, shortened_list, unknown_name
from cfft_suites.parts import PARTS

from .classes import ClassTable, contradictions
from .entries import Entry
from .places import Located, Places

ALL = "all"
Groups = Mapping[str, Sequence[Located]]
Seen = dict[str, tuple[str, int]]
"""The first set of each path, and its class there."""
_MOST_TRIED = 3  # of the missing images
_TWO_CLASSES = "listed with two classes"
_AGAIN = "listed more than once, and taken once"


def in_distribution(entries: Iterable[Entry], chosen: str | None, data: Path) -> frozenset[str]:
    """Return the domains that are not OOD; raises ConfigError unless that is clear."""
    domains = {entry.domain for entry in entries}
    if chosen is None and ("" in domains or len(domains) == 1):
        return frozenset({""} if "" in domains else domains)
    if chosen in domains:
        return frozenset(("", chosen))
    if chosen == ALL:
        return frozenset(domains)
    listing = f"domains in {data}"
    if chosen is None:
        raise ConfigError(
            f"no domain chosen (--id); {listing}: {shortened_list(sorted(domains), most=12)}; "
            f"--id {ALL} takes them together as in-distribution"
        )
    raise ConfigError(unknown_name("domain", chosen, domains - {""}, listing))


def grouped(located: Iterable[Located], own: frozenset[str]) -> dict[str, list[Located]]:
    """Divide images into sets by name: train, val and test of the domains `own`, then OOD sets.

    Images without a part are those of `train`. A domain that is OOD is measured on its test images,
    or on all where it has none. Raises DataError for a domain that is called like a part.
    """
    parts: dict[str, list[Located]] = {}
    domains: dict[str, list[Located]] = {}
    for image in located:
        if image.entry.domain in own:
            parts.setdefault(image.split or "train", []).append(image)
        else:
            domains.setdefault(image.entry.domain, []).append(image)
    taken = sorted(domains.keys() & {*PARTS, *parts})
    if taken:
        raise DataError(f"domain '{taken[0]}' is called like a part: give it another name")
    shifts = {name: parts.pop(name) for name in sorted(parts.keys() - {*PARTS})}
    for name, images in domains.items():
        shifts[name] = [image for image in images if image.split == "test"] or images
    return {
        **{name: parts[name] for name in PARTS if name in parts},
        **{name: shifts[name] for name in sorted(shifts)},
    }


def image_sets(groups: Groups, places: Places, table: ClassTable) -> dict[str, ImageFiles]:
    """Return the sets; images that cannot be used are left out and a fault of their set."""
    seen: Seen = {}
    sets = {name: _image_set(name, groups[name], places, table, seen) for name in groups}
    if table.doubt is not None and sets:
        first = next(iter(sets))
        sets[first] = attrs.evolve(sets[first], doubts=(*sets[first].doubts, table.doubt))
    surplus = places.not_listed(path for images in sets.values() for path in images.paths)
    for name in [*sets][:1] if surplus else ():
        sets[name] = attrs.evolve(sets[name], passed_over={"not listed": surplus})
    return sets


def _image_set(
    name: str, group: Sequence[Located], places: Places, table: ClassTable, seen: Seen
) -> ImageFiles:
    kept: dict[str, int] = {}
    repeated: dict[str, list[str]] = {}
    for image in group:
        label = table.find(image.entry.label)
        if label is None or len(image.paths) != 1:
            continue
        (path,) = image.paths
        first, known = seen.setdefault(path, (name, label))
        if known != label:
            both = f"{path} ({table.names[known]}, {table.names[label]})"
            repeated.setdefault(_TWO_CLASSES, []).append(both)
        elif first != name and {first, name} & {*PARTS}:
            repeated.setdefault(f"in '{first}' too", []).append(path)
        elif path in kept:
            repeated.setdefault(_AGAIN, []).append(path)
        kept.setdefault(path, label)
    told = {what: _repeated(name, what, paths) for what, paths in repeated.items()}
    again = told.pop(_AGAIN, None)
    return ImageFiles(
        name=name,
        root=places.root,
        paths=tuple(kept),
        labels=tuple(kept.values()),
        classes=tuple(sorted(set(kept.values()))),
        class_names=table.names,
        faults=(
            *_unlocated(name, group, places),
            *_unknown(name, group, table),
            *contradictions((image.entry for image in group), table),
            *told.values(),
        ),
        doubts=() if again is None else (again,),
    )


def _repeated(name: str, what: str, paths: Sequence[str]) -> str:
    number = "1 image is" if len(paths) == 1 else f"{len(paths):,} images are"
    return f"set '{name}': {number} {what}: {shortened_list(paths)}"


def _unlocated(name: str, group: Iterable[Located], places: Places) -> Iterator[str]:
    """Yield a line for each list whose images are missing, and for names of several files."""
    by_file: dict[str, list[Located]] = {}
    for image in group:
        by_file.setdefault(image.entry.file, []).append(image)
    for file, images in by_file.items():
        missing = [image.entry for image in images if not image.paths]
        if missing:
            listed = shortened_list(entry.image for entry in missing)
            yield (
                f"set '{name}': {file} lists {len(images):,} images, {len(missing):,} of them not "
                f"there: {listed}; paths start from {places.root} (--root); "
                f"{_meant(missing, places)}"
            )
        several = [image for image in images if len(image.paths) > 1]
        if several:
            first = several[0]
            fits = f"{first.entry.image} ({shortened_list(first.paths)})"
            yield (
                f"set '{name}': {file} has {len(several):,} of {len(images):,} names that fit "
                f"several files, such as {fits}: give folder and suffix"
            )


def _meant(missing: Sequence[Entry], places: Places) -> str:
    """Say which files a list probably means, or what lies where it looks for them."""
    for entry in missing[:_MOST_TRIED]:
        found = places.like(entry)
        if found is not None:
            return f"did you mean {found} for {entry.image}?"
    return places.beside(missing[0])


def _unknown(name: str, group: Iterable[Located], table: ClassTable) -> Iterator[str]:
    """Yield a line about labels that are no class."""
    labels = (image.entry.label for image in group)
    unknown = Counter(label for label in labels if table.find(label) is None)
    if unknown:
        close = get_close_matches(next(iter(unknown)), table.index, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        listed = (f"'{label}' ({count:,})" for label, count in unknown.items())
        yield (
            f"set '{name}' has labels that are none of the {len(table.names):,} classes: "
            f"{shortened_list(listed)}{hint}"
        )
