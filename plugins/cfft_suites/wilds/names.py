"""Class names of WILDS datasets, from wherever WILDS gives them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from cfft import DataError, read_text_file


def published_names(dataset: Any) -> tuple[str, ...]:
    """Return the class names of a WILDS dataset in label order, else numbers (rxrx1 has none).

    Raises DataError for a file of names that cannot be read.
    """
    names = _NAMES.get(dataset.dataset_name, _listed)(dataset)
    numbers = map(str, range(dataset.n_classes))
    return tuple(names) if len(names) == dataset.n_classes else tuple(numbers)


def _listed(dataset: Any) -> list[str]:
    return [str(name).strip() for name in (dataset.metadata_map or {}).get("y", ())]


def _tissues(dataset: Any) -> list[str]:
    return ["healthy tissue", "tumor tissue"]


def _land_uses(dataset: Any) -> list[str]:
    return list(import_module(type(dataset).__module__).categories)


def _animals(dataset: Any) -> list[str]:
    path = Path(dataset.data_dir, "categories.csv")
    if not path.is_file():
        return []
    try:
        rows = list(csv.DictReader(read_text_file(path).splitlines()))
        by_label = {int(row.get("y", place)): row["name"] for place, row in enumerate(rows)}
        return [by_label[label] for label in range(dataset.n_classes)]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: no names of {dataset.n_classes} classes ({error!r})") from error


def _drawings(dataset: Any) -> list[str]:
    """Pair names with labels as the rows do; a label that does not occur has the name's place."""
    listed = [str(name) for name in dataset.metadata_map["category"]]
    columns: Sequence[str] = dataset.metadata_fields
    pairs = dataset.metadata_array[:, [columns.index("category"), columns.index("y")]]
    names = list(listed)
    for category, label in pairs.unique(dim=0).tolist():
        names[label] = listed[category]
    return names


_NAMES: Mapping[str, Callable[[Any], list[str]]] = {
    "camelyon17": _tissues,
    "fmow": _land_uses,
    "iwildcam": _animals,
    "domainnet": _drawings,
}
