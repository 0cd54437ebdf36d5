"""Rules of exporters: what they write is the model, and says nothing of the machine."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from cfft.errors import CfftError, described
from cfft.evaluation.exporting.agreement import agreement
from cfft.model.description import ModelDescription
from cfft.model.exporter import Exporter, ExportSource
from cfft.model.head_file import write_head
from cfft.model.pretrained import Pretrained
from cfft.records import Preprocessing
from cfft.testing.guard import leaves_alone, must
from cfft.testing.models import PATCH, TinyText, tiny_classifier

_CLASSES = ("cat", "dog", "cow")
_GRID = (2, 3)


def check_exporter(who: str, exporter: Exporter, model: ExportSource | None = None) -> None:
    """Export a model, load it again and compare; look for paths of this machine in the files.

    `model`: by default a tiny one with a tower of open_clip. An exporter may refuse that by
    `require`, since it takes another family or lacks a package: then nothing more is checked.
    """
    exporter, source = Exporter.of(exporter), _tiny_source() if model is None else model
    try:
        exporter.require(source.description)
    except CfftError as error:
        must(model is None, f"{who} refuses the model: {described(error)}")
        return
    with TemporaryDirectory() as place:
        folder = Path(place, "exported")
        folder.mkdir()
        write_head(folder, source.classifier.head, source.classes)
        before = {path.name for path in folder.iterdir()}
        with leaves_alone(who, {}, source.classifier):
            exporter.export(source, folder)
        written = [path for path in folder.rglob("*") if path.name not in before]
        must(bool(written), f"{who} wrote nothing")
        telling = [p.name for p in written if p.is_file() and place.encode() in p.read_bytes()]
        must(not telling, f"{who} must write no path of this machine: {', '.join(telling)}")
        try:
            agreement(exporter, who, folder, source.classifier, source.preprocessing.size)
        except CfftError as error:
            raise AssertionError(str(error)) from error
    must(isinstance(exporter.usage(source), str), f"{who}: usage() must return text")


def _tiny_source() -> ExportSource:
    classifier = tiny_classifier(_GRID, classes=len(_CLASSES)).eval().requires_grad_(False)
    size = (_GRID[0] * PATCH, _GRID[1] * PATCH)
    colours = (0.5, 0.5, 0.5)
    prepared = Preprocessing(size, max(size), "bicubic", colours, (0.25, 0.25, 0.25))
    known = ModelDescription(
        *("tiny", "tiny", "tiny", {}, prepared), normalised=True, classes=_CLASSES, head="zero-shot"
    )
    start = Pretrained(
        *(tiny_classifier(_GRID).encoder, prepared), normalised=True, identity={}, rebuild="tiny",
        text=TinyText(),
    )  # fmt: skip
    return ExportSource(classifier, known, start)
