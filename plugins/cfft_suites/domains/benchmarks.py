"""Published sizes of the domain benchmarks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from cfft import Expected

Benchmark = Literal["pacs", "office-home", "vlcs", "domainnet"]

_CLASSES: Mapping[Benchmark, int] = {"pacs": 7, "office-home": 65, "vlcs": 5, "domainnet": 345}
_IMAGES: Mapping[Benchmark, Mapping[str, int]] = {
    "pacs": {"art_painting": 2048, "cartoon": 2344, "photo": 1670, "sketch": 3929},
    "office-home": {"Art": 2427, "Clipart": 4365, "Product": 4439, "Real World": 4357},
    "vlcs": {"Caltech101": 1415, "LabelMe": 2656, "SUN09": 3282, "VOC2007": 3376},
    # the cleaned version, 586,575 images
    "domainnet": {
        "clipart": 48129,
        "infograph": 51605,
        "painting": 72266,
        "quickdraw": 172500,
        "real": 172947,
        "sketch": 69128,
    },
}
_NUMBERED: Mapping[str, str] = {
    "CALTECH": "Caltech101",
    "LABELME": "LabelMe",
    "SUN": "SUN09",
    "PASCAL": "VOC2007",
}
"""Domains of the VLCS archive whose class folders are numbers; what others call them."""
_VLCS: Mapping[str, str] = {"0": "bird", "1": "car", "2": "chair", "3": "dog", "4": "person"}


def complete_domains(benchmark: Benchmark, there: Collection[str]) -> Mapping[str, Expected]:
    """Return what each domain of a benchmark holds.

    `there`: the folders; VLCS is published under two sets of names, and those of which more are
    there are taken. Li et al. 2017 (PACS), Venkateswara et al. 2017 (Office-Home), Fang et al. 2013
    (VLCS), Peng et al. 2019 (DomainNet).
    """
    classes, images = _CLASSES[benchmark], _IMAGES[benchmark]
    if benchmark == "vlcs" and len(_NUMBERED.keys() & there) > len(images.keys() & there):
        images = {name: images[other] for name, other in _NUMBERED.items()}
    return {name: Expected(count, classes) for name, count in images.items()}


def names_of_numbers(there: Collection[str], folders: Collection[str]) -> Mapping[str, str]:
    """Return what numbered class folders stand for, nothing where that is not known.

    `there`: the domains; of the published benchmarks VLCS alone has numbers.
    """
    is_vlcs = _NUMBERED.keys() >= set(there) and _VLCS.keys() == set(folders)
    return _VLCS if is_vlcs else {}
