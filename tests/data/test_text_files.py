"""Every text file that users write: Windows programs put a mark before it, or write UTF-16."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from cfft.config.layers import read_file
from cfft.data.folders import training_class_names
from cfft.data.images import ImageFiles
from cfft.errors import CfftError
from cfft.evaluation.files.json_lines import read_lines
from cfft.evaluation.masks.coco import coco_segmentations
from cfft.model.prompts import resolve_templates
from cfft_backbones.open_clip.configs import find_architecture
from cfft_suites.domains.lists import read_list
from cfft_suites.extras import read_class_names
from cfft_suites.imagenet.flat import read_flat
from cfft_suites.imagenet.objectnet import read_mappings

Read = Callable[[Path], object]


@attrs.frozen
class Kind:
    """Name a file, what may stand in it, and who reads it."""

    name: str
    text: str
    read: Read


def named_classes(path: Path) -> object:
    for folder in ("cat", "dog"):
        (path.parent / "train" / folder).mkdir(parents=True)
    return training_class_names(path.parent / "train", path.parent)


def solution(path: Path) -> object:
    (path.parent / "ILSVRC2012_val_1.JPEG").touch()
    return read_flat(path.parent, path.parent, "imagenet")


def instances(path: Path) -> object:
    cat = ImageFiles("test", path.parent, ("a.png",), (0,), (0,), ("cat", "dog"))
    return coco_segmentations(cat, path, ("cat", "dog"))


def mappings(path: Path) -> object:
    for name in ("objectnet_to_imagenet_1k.json", "pytorch_to_imagenet_2012_id.json"):
        (path.parent / name).write_text("{}")
    (path.parent / "imagenet_to_label_2012_v2").write_text("")
    return read_mappings(path.parent)


_SOLUTION = "ImageId,PredictionString\nILSVRC2012_val_1,n01440764 1\n"
_CONFIG = '{"embed_dim": 8, "vision_cfg": {}}'
_COCO = (
    '{"images": [{"id": 1, "file_name": "a.png", "height": 2, "width": 3}], "annotations": [], '
    '"categories": [{"id": 1, "name": "cat"}]}'
)
KINDS = [
    Kind("run.toml", "seed = 3\n", read_file),
    Kind("classes.txt", "cat\ndog\n", named_classes),
    Kind("classes.toml", 'cat = "cat"\ndog = "hound"\n', named_classes),
    Kind("names.txt", "cat\ndog\n", read_class_names),
    Kind("photo_train.txt", "photo/dog/a.png 1\n", read_list),
    Kind(
        "LOC_val_solution.csv", "ImageId,PredictionString\nILSVRC2012_val_1,n01440764 1\n", solution
    ),
    Kind("folder_to_objectnet_label.json", "{}", mappings),
    Kind("templates.txt", "a sketch of a {}\n", lambda path: resolve_templates(str(path), {})),
    Kind("line.jsonl", '{"name": "a", "photo": 0.5}\n', lambda path: list(read_lines(path))),
    Kind("instances.json", _COCO, instances),
    Kind("config.json", _CONFIG, lambda path: find_architecture(str(path))),
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


@every_kind
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, kind: Kind) -> None:
    (tmp_path / kind.name).write_text(kind.text, "utf-8-sig")

    assert kind.read(tmp_path / kind.name) is not None


@every_kind
def test_utf_16_is_named_in_one_line(tmp_path: Path, kind: Kind) -> None:
    (tmp_path / kind.name).write_text(kind.text, "utf-16")

    with pytest.raises(CfftError, match="is UTF-16: save it as UTF-8") as raised:
        kind.read(tmp_path / kind.name)

    assert len(str(raised.value).splitlines()) == 1
    assert (kind.name if kind.read is not mappings else str(tmp_path)) in str(raised.value)
