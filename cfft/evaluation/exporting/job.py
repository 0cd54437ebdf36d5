"""Export one model: build it, write it, load it again, compare, describe it, and send it."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

from cfft.errors import ConfigError
from cfft.evaluation.exporting.agreement import agreement
from cfft.evaluation.exporting.card import ModelCard, Origin
from cfft.evaluation.exporting.entry import PlannedExport
from cfft.evaluation.exporting.hub import push, require_access
from cfft.evaluation.exporting.record import Agreement, ExportRecord
from cfft.evaluation.exporting.source import find_model, load_source
from cfft.model.exporter import Exporter, ExportSource
from cfft.model.head_file import write_head
from cfft.runtime.files import write_text
from cfft.runtime.json_files import write_json
from cfft.runtime.outputs import appearing
from cfft.runtime.outside import encodable
from cfft.runtime.progress import Reporter

CARD, CLASSES = "README.md", "classes.json"


def export_model(planned: PlannedExport, reporter: Reporter) -> ExportRecord:
    """Write a model in another format, checked against itself, and push it where that is asked for.

    Raises a CfftError for what a user can fix: `out` then does not exist, unless it was the hub
    that refused it in the end.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("cfft export runs as one process: start it without a launcher")
    exporter = Exporter.of(planned.exporter)
    ref, known = find_model(planned.model)
    exporter.require(known)
    origin = Origin.of(ref)
    if ref.trained_by is not None and origin.results is None and ref.run is not None:
        reporter.warned(f"{ref.text} is not finished: the card has no results")
    if planned.push is not None:
        require_access(planned.push)
    with appearing(planned.out, "meanwhile: the export is in {}".format) as folder:
        model = load_source(
            *(ref, known, planned.source, planned.registry, reporter), with_text=exporter.reads_text
        )
        difference = _written(planned, exporter, model, folder)
        title = planned.push or planned.out.resolve().name
        card = ModelCard(
            *(title, model, exporter, planned.name, origin, difference), version=version("cfft")
        )
        write_text(folder / CARD, encodable(card.text()))
    pushed = None if planned.push is None else push(planned.out, planned.push)
    files = {
        path.relative_to(planned.out).as_posix(): path.stat().st_size
        for path in sorted(planned.out.rglob("*"))
        if path.is_file()
    }
    return ExportRecord(
        cfft=version("cfft"),
        exporter=planned.name,
        model=planned.model,
        out=str(planned.out),
        files=files,
        classes=len(model.classes),
        difference=difference,
        pushed=pushed,
    )


def _written(
    planned: PlannedExport, exporter: Exporter, model: ExportSource, folder: Path
) -> Agreement:
    write_head(folder, model.classifier.head, model.classes)
    write_json(folder / CLASSES, list(model.classes))
    exporter.export(model, folder)
    mode = (folder / CLASSES).stat().st_mode
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)  # safetensors writes files that only their owner may read
    size = model.preprocessing.size
    return agreement(exporter, planned.name, folder, model.classifier, size)
