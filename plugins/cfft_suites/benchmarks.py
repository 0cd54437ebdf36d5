"""What complete domain benchmarks hold, as their authors publish them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from cfft import Expected

Benchmark = Literal["pacs", "office-home", "vlcs", "domainnet"]

_CLASSES: Mapping[Benchmark, int] = {"pacs": 7, "office-home": 65, "vlcs": 5, "domainnet": 345}
_PICTURES: Mapping[Benchmark, Mapping[str, int]] = {
    "pacs": {"art_painting": 2048, "cartoon": 2344, "photo": 1670, "sketch": 3929},
    "office-home": {"Art": 2427, "Clipart": 4365, "Product": 4439, "Real World": 4357},
    "vlcs": {"Caltech101": 1415, "LabelMe": 2656, "SUN09": 3282, "VOC2007": 3376},
    # the cleaned version, 586,575 pictures
    "domainnet": {
        "clipart": 48129,
        "infograph": 51605,
        "painting": 72266,
        "quickdraw": 172500,
        "real": 172947,
        "sketch": 69128,
    },
}


def complete_domains(benchmark: Benchmark) -> Mapping[str, Expected]:
    """Return what each domain of a benchmark holds.

    Li et al. 2017 (PACS), Venkateswara et al. 2017 (Office-Home), Fang et al. 2013 (VLCS), Peng et
    al. 2019 (DomainNet).
    """
    classes = _CLASSES[benchmark]
    return {name: Expected(count, classes) for name, count in _PICTURES[benchmark].items()}
