"""Every stored format and every kind of damage: one line that names the file, nothing silent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from PIL import Image

from cfft.config.layers import read_file
from cfft.data.folders import training_class_names
from cfft.data.images import class_folders
from cfft.errors import CfftError
from cfft.evaluation.files.evaluation import read_evaluation
from cfft.evaluation.frontier import read_frontier
from cfft.evaluation.masks.coco import coco_segmentations
from cfft.model.checkpoint import Checkpoint, load, save
from cfft.model.description import read_description
from cfft.model.prompts import resolve_templates
from cfft.plugin.params import Param
from cfft.report.sources.imports import read_imports
from cfft.report.sources.sweeps import sweep_runs
from cfft.scoring.predictions import Predictions
from cfft.training.metrics import MetricsLog, WrittenMetrics, read_metrics
from cfft.training.run_directory import RunDirectory
from cfft.training.sweep.declaration import read_sweep

SET = {"role": "id", "top1": 0.5}
SPREAD = {"mean": 0.5, "std": None, "n": 1}
JSON, TOML, LINES, TEXT, BINARY = "json", "toml", "lines", "text", "binary"


@attrs.frozen
class Format:
    """Hold a stored format: what a good file is, and what reads it."""

    kind: str
    name: str
    content: str | Mapping[str, Any]
    read: Callable[[Path], object]

    @property
    def bytes(self) -> bytes:
        whole = self.content if isinstance(self.content, str) else json.dumps(self.content)
        return whole.encode()


def the_class_names(file: Path) -> object:
    for folder in ("a", "b"):
        (file.parent / "train" / folder).mkdir(parents=True, exist_ok=True)
    return training_class_names(file.parent / "train", file.parent)


def the_masks(file: Path) -> object:
    for name in ("a/0.png", "b/0.png"):
        (file.parent / "test" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 2)).save(file.parent / "test" / name)
    images = class_folders(file.parent / "test", "test")
    return coco_segmentations(images, file, ("a", "b"))


METRICS = '{"step": 1, "epoch": 1, "loss": 2.0}\n{"step": 2, "epoch": 1, "val_top1": 0.5}\n'
ENTRY = {"file_name": "a/0.png", "height": 2, "width": 3}
MODEL = {"model": "a", "source": "a", "kind": "run", "group": "a", "sets": {"photo": SET}}
PREPROCESSING = {
    "size": [8, 8],
    "resize": 8,
    "interpolation": "bicubic",
    "mean": [0, 0, 0],
    "std": [1, 1, 1],
}
FORMATS = {
    "results": Format(
        JSON,
        "results.json",
        {"config": {}, "sets": {"photo": SET}, "before": {"sets": {"photo": SET}}},
        lambda file: RunDirectory(file.parent).read_results(),
    ),
    "evaluation": Format(JSON, "evaluation.json", {"models": [MODEL]}, read_evaluation),
    "sweep results": Format(
        JSON,
        "sweep.json",
        {"searched": [], "chosen": {}, "rows": []},
        lambda file: sweep_runs([file.parent]),
    ),
    "frontier": Format(
        JSON,
        "frontier.json",
        {"id_set": "photo", "reference": "a", "points": [], "levels": []},
        lambda file: read_frontier(file.parent),
    ),
    "model": Format(
        JSON,
        "model.json",
        {
            "backbone": "x",
            "name": "x",
            "rebuild": "x",
            "identity": {},
            "head": "own",
            "normalised": False,
            "classes": ["a", "b"],
            "preprocessing": PREPROCESSING,
        },
        lambda file: read_description(file.parent),
    ),
    "annotations": Format(
        JSON,
        "instances.json",
        {
            "images": [{"id": 1, **ENTRY}],
            "annotations": [],
            "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        },
        the_masks,
    ),
    "metrics": Format(LINES, "metrics.jsonl", METRICS, read_metrics),
    "metrics of a checkpoint": Format(
        LINES,
        "metrics.jsonl",
        METRICS,
        lambda file: read_metrics(file, WrittenMetrics.of(METRICS.encode())),
    ),
    "imported accuracies": Format(
        LINES,
        "models.jsonl",
        '{"name": "a", "photo": 0.5}\n{"name": "b", "photo": 0.5}\n',
        lambda file: read_imports([file], []),
    ),
    "config": Format(TOML, "config.toml", 'seed = 1\n[model]\nname = "x"\n', read_file),
    "config of a run": Format(
        TOML,
        "config.toml",
        "seed = 1\n[model]\n[training]\n[suite]\n[plugins]\n",
        lambda file: RunDirectory(file.parent).read_seed(),
    ),
    "sweep": Format(
        TOML, "sweep.toml", 'seeds = [1]\n[[row]]\nname = "a"\n', lambda file: read_sweep(str(file))
    ),
    "class names": Format(TOML, "classes.toml", 'a = "cat"\nb = "dog"\n', the_class_names),
    "prompts": Format(
        TEXT, "prompts.txt", "a {}\nthe {}\n", lambda file: resolve_templates(str(file), {})
    ),
    "predictions": Format(BINARY, "photo.npz", "", Predictions.load),
}
DEEP = {
    JSON: (100_000 * "[" + 100_000 * "]", 100_000 * '{"a":' + "1" + 100_000 * "}"),
    TOML: (f"seed = {100_000 * '['}{100_000 * ']'}", f"seed.{'a.' * 100_000}b = 1"),
}
DIGITS = {JSON: '{"schema": 1, "a": %s}', LINES: '{"step": %s, "epoch": 1}\n', TOML: "seed = %s\n"}


def deep(kind: str, way: int) -> bytes:
    return DEEP[TOML if kind == TOML else JSON][way].encode() + b"\n"


DAMAGES: Mapping[str, Callable[[Format, bytes], bytes]] = {
    "empty": lambda _, whole: b"",
    "blank": lambda _, whole: b" \n\n",
    "cut at the start": lambda _, whole: whole[1:],
    "cut in the middle": lambda _, whole: whole[: len(whole) // 3],
    "a flipped byte": lambda _, whole: bytes([whole[0] ^ 0x80]) + whole[1:],
    "null": lambda _, whole: b"null\n",
    "a list": lambda _, whole: b"[1, 2]\n",
    "a number": lambda _, whole: b"5\n",
    "a text": lambda _, whole: b'"abc"\n',
    "true": lambda _, whole: b"true\n",
    "deep lists": lambda form, whole: deep(form.kind, 0),
    "deep tables": lambda form, whole: deep(form.kind, 1),
    "5,000 digits": lambda form, whole: (DIGITS.get(form.kind, "%s") % (5000 * "9")).encode(),
    "not UTF-8": lambda _, whole: whole + b"\xff\n",
    "UTF-16": lambda _, whole: whole.decode("latin-1").encode("utf-16"),
    "NUL": lambda _, whole: whole[:3] + b"\0" + whole[4:],
}
HARMLESS = {
    ("config", "empty"),  # a configuration that says nothing
    ("config", "blank"),
    ("metrics", "empty"),  # stopped before the first line
    ("metrics", "blank"),
    ("metrics", "cut in the middle"),  # its only line, as a crash does
    ("config", "cut in the middle"),
    ("prompts", "cut at the start"),
    ("prompts", "cut in the middle"),
    ("predictions", "not UTF-8"),  # bytes after the archive
}
WRITTEN_BY_CFFT = Predictions(torch.eye(2), torch.tensor([0, 1]), ("a", "b"), (0, 1))


def put(folder: Path, form: Format) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / form.name
    file.write_bytes(form.bytes)
    if form.kind == BINARY:
        WRITTEN_BY_CFFT.save(file)
    return file


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_file_is_read(name: str, tmp_path: Path) -> None:
    assert FORMATS[name].read(put(tmp_path, FORMATS[name])) is not None


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_named_in_one_line(name: str, damage: str, tmp_path: Path) -> None:
    if (name, damage) in HARMLESS:
        pytest.skip("means something else than damage")
    form = FORMATS[name]
    file = put(tmp_path, form)
    file.write_bytes(DAMAGES[damage](form, file.read_bytes()))

    with pytest.raises(CfftError) as raised:
        form.read(file)

    assert all(file.name in line and len(line) < 500 for line in raised.value.problems)


@pytest.mark.parametrize("name", FORMATS)
def test_a_directory_in_place_of_a_file_is_named(name: str, tmp_path: Path) -> None:
    file = put(tmp_path, FORMATS[name])
    file.unlink()
    file.mkdir()

    with pytest.raises(CfftError) as raised:
        FORMATS[name].read(file)

    assert FORMATS[name].name in str(raised.value)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["manifest.json", "model.json", "state.json"])
def test_a_damaged_checkpoint_is_named(name: str, damage: str, tmp_path: Path) -> None:
    save(tmp_path / "last", Checkpoint({"w": torch.zeros(1)}, {"name": "x"}, state={"step": 1}))
    file = tmp_path / "last" / name
    form = Format(JSON, name, {}, load)
    file.write_bytes(DAMAGES[damage](form, file.read_bytes()))

    with pytest.raises(CfftError, match=name):
        load(tmp_path / "last")


@pytest.mark.parametrize(
    "content",
    [
        {"sets": {"photo": {"role": "id", "top1": "0.5"}}},
        {"sets": {"photo": {"role": "id", "top1": None}}},
        {"sets": {"photo": {"role": "id", "top1": True}}},
        {"sets": {"photo": {"role": "id", "top1": 0.5, "ci95": "ab"}}},
        {"sets": [SET]},
        {"before": []},
        {"differences": []},
        {"classes": "abc"},
        {"classes": {"a": 1}},
        {"classes": ["a", None]},
        {"run": None},
        {"epochs": 1.5},
        {"schema": None},
        {"config": {"seed": []}},
        {"config": {"loss": 3}},
        {"config": {"loss": [{"weight": 1}]}},
        {"config": {"mask": "object"}},
        {"config": {"mask": {"use": 5}}},
    ],
)
def test_values_of_other_types_are_never_taken(content: Any, tmp_path: Path) -> None:
    form = FORMATS["results"]
    assert isinstance(form.content, Mapping)
    (tmp_path / form.name).write_text(json.dumps({**form.content, **content}))

    with pytest.raises(CfftError, match=rf"results\.json: .*{next(iter(content))}"):
        form.read(tmp_path / form.name)


@pytest.mark.parametrize("place", range(len(METRICS)))
def test_every_flipped_byte_of_the_metrics_is_noticed(place: int, tmp_path: Path) -> None:
    written, content = WrittenMetrics.of(METRICS.encode()), bytearray(METRICS.encode())
    content[place] ^= 1
    (tmp_path / "metrics.jsonl").write_bytes(content)

    with pytest.raises(CfftError, match=r"metrics\.jsonl is damaged.*restore it"):
        MetricsLog(tmp_path / "metrics.jsonl").rewind(2, 1, written)


@pytest.mark.parametrize(
    ("part", "key"), [("images", "id"), ("images", "file_name"), ("categories", "name")]
)
def test_annotations_of_other_types_are_named(part: str, key: str, tmp_path: Path) -> None:
    form = FORMATS["annotations"]
    assert isinstance(form.content, Mapping)
    entries = [{**form.content[part][0], key: [1]}]
    (tmp_path / form.name).write_text(json.dumps({**form.content, part: entries}))

    with pytest.raises(CfftError, match=rf"instances\.json: {part}\[0\]: {key} is \[1\]"):
        form.read(tmp_path / form.name)


@pytest.mark.parametrize("kind", [str, Path])
def test_no_setting_takes_a_text_that_no_path_can_be(kind: type) -> None:
    with pytest.raises(ValueError, match="allowed"):
        Param("data", kind, None, "where images are").parse("a\0b")
