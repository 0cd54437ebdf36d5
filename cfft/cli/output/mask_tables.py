"""The tables of `cfft eval masks`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from rich.console import Console

from cfft.cli.output.consoles import table
from cfft.cli.output.numbers import percent
from cfft.errors import counted

Record = Mapping[str, Any]
_COLUMNS = (
    *("threshold", "hidden of image", "hidden of object", "by square", "at random"),
    *("IoU", "by square", "at random"),
)


def print_masks(console: Console, records: Sequence[Record]) -> None:
    """Print a table for each model, set and map, in percent."""
    for (model, images, cam), group in groupby(records, itemgetter("model", "set", "cam")):
        rows = list(group)
        title, caption = f"{model} on {images}, map {cam}, in percent", _caption(rows[0])
        console.print(table(_COLUMNS, map(_row, rows), names=0, title=title, caption=caption))


def _row(record: Record) -> list[str]:
    square, patches = (record["baselines"][name] for name in ("square", "random_patches"))
    return [
        f"{record['threshold']:g}",
        percent(record["image_masking_rate"]),
        *(percent(each["object_masking_rate"]) for each in (record, square, patches)),
        *(percent(each["iou"]) for each in (record, square, patches)),
    ]


def _caption(record: Record) -> str:
    everything = percent(record["baselines"]["everything"]["iou"])
    without = {
        "without an object in view": record["without_object"],
        "without a segmentation": record["without_segmentation"],
    }
    left_out = [f"{count} {why}" for why, count in without.items() if count]
    said = f"{counted(record['n'], 'image')}; hiding everything gives an IoU of {everything}"
    return f"{said}; left out: {', '.join(left_out)}" if left_out else said
