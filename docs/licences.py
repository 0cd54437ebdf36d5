"""Write the table of docs/licences.md from the metadata of what is installed.

    python docs/licences.py

Install cfft with all extras first (`tox -e licences` does): what is not installed is not listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).with_name("licences.md")
BLOCK = re.compile(r"(<!-- licences -->\n).*?(<!-- end -->)", re.DOTALL)
CLASSIFIER = "License :: "
LONGEST = 60  # characters of a free text that still names a licence
ROOT = "cfft"


def needed() -> dict[str, tuple[Distribution, set[str]]]:
    """Return the distributions that cfft needs, directly or not, with the extras that want them.

    An extra called "" stands for what every installation has.
    """
    found: dict[str, tuple[Distribution, set[str]]] = {}
    asked = [(ROOT, "", frozenset(extra for extra in _extras(ROOT)))]
    seen = set()
    while asked:
        name, origin, extras = asked.pop()
        try:
            each = distribution(name)
        except PackageNotFoundError:
            continue
        if name != ROOT:
            found.setdefault(name, (each, set()))[1].add(origin)
        for line in each.requires or ():
            wanted = Requirement(line)
            for extra in _wanting(wanted, extras):
                own = extra if name == ROOT else origin
                place = (canonicalize_name(wanted.name), own, frozenset(wanted.extras))
                if place not in seen:
                    seen.add(place)
                    asked.append(place)
    return found


def licence(each: Distribution) -> str:
    """Return what a distribution says of its licence: expression, classifiers or a short text."""
    metadata = each.metadata
    said = metadata.get("License-Expression")
    if said:
        return said
    classified = [c for c in metadata.get_all("Classifier") or () if c.startswith(CLASSIFIER)]
    names = [c.rpartition(" :: ")[2] for c in classified if c.count("::") > 1]
    text = (metadata.get("License") or "").strip().split("\n")[0]
    if names:
        return "; ".join(names)
    return text if 0 < len(text) <= LONGEST else "see its files"


def rows() -> Iterator[str]:
    """Make the table: what every installation has first, each by name."""
    yield from ("| package | licence | needed by |", "|---|---|---|")
    found = sorted(needed().items(), key=lambda item: ("" not in item[1][1], item[0]))
    for name, (each, origins) in found:
        wanted = "cfft" if "" in origins else ", ".join(f"cfft[{o}]" for o in sorted(origins))
        yield f"| {name} | {licence(each)} | {wanted} |"


def _extras(name: str) -> list[str]:
    return distribution(name).metadata.get_all("Provides-Extra") or []


def _wanting(wanted: Requirement, extras: frozenset[str]) -> list[str]:
    """Return the extras, "" for none, with which a requirement holds here."""
    if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
        return [""]
    return sorted(extra for extra in extras if wanted.marker.evaluate({"extra": extra}))


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    table = "\n".join(rows())
    PAGE.write_text(BLOCK.sub(lambda found: f"{found[1]}{table}\n{found[2]}", page), "utf-8")
