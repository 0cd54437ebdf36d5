"""Every reader on damaged files: the value, or cfft's own error that names the file.

The damages are drawn from a fixed seed. `CFFT_FUZZ=20000 pytest` of this file tries so many for
each reader, and keeps one file for each new failure in corpus/READER, where later runs read it.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from traceback import extract_tb

import attrs
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save as safetensors_bytes

from cfft.config.layers import read_defaults, read_file
from cfft.config.resolve import resolve
from cfft.data.images import image_fault, read_image
from cfft.errors import CfftError
from cfft.evaluation.masks.segmentations import read_binary, read_trimap
from cfft.model.checkpoint import Checkpoint, load, save
from cfft.model.weights import read_weight_file
from cfft.plugin.registry import Registry
from cfft.training.sweep.declaration import read_sweep
from cfft_backbones.open_clip.configs import find_architecture
from cfft_suites.cifar10.files import (
    read_archive,
    read_arrays,
    read_batches,
    read_binary_batches,
    read_dictionary,
)
from cfft_suites.domains.lists import read_list
from cfft_suites.lists.suite import ListsSuite
from cfft_suites.webdataset.shards import Shard
from cfft_suites.webdataset.tars import Keys, tar_images

from .mutations import mutated
from .test_damaged_files import FORMATS, put

CORPUS = Path(__file__).with_name("corpus")
COUNT = int(os.environ.get("CFFT_FUZZ", 40))
LONGEST = 2010
PIXELS = np.arange(2 * 32 * 32 * 3, dtype=np.uint8).reshape(2, 32, 32, 3)
REGISTRY = Registry.installed()
ROWS = {b"data": PIXELS.reshape(2, -1), b"labels": [0, 9]}


@attrs.frozen
class Reader:
    """Hold what reads a kind of file, the file's name and contents that it takes."""

    kind: str
    name: str
    good: Callable[[Path], tuple[bytes, ...]]
    read: Callable[[Path], object]
    is_named: bool = True  # by errors


def of_format(name: str) -> Reader:
    form = FORMATS[name]
    kind = "archive" if form.kind == "binary" else form.kind
    return Reader(kind, form.name, lambda folder: (put(folder, form).read_bytes(),), form.read)


def of_checkpoint(name: str) -> Reader:
    def stored(folder: Path) -> tuple[bytes, ...]:
        save(folder, Checkpoint({"w": torch.zeros(2)}, {"name": "x"}, state={"step": 1}))
        return ((folder / name).read_bytes(),)

    kind = "json" if name.endswith("json") else "bytes"
    return Reader(kind, name, stored, lambda file: load(file.parent))


def images(*kinds: str) -> tuple[bytes, ...]:
    return tuple(map(image, kinds))


def image(kind: str) -> bytes:
    drawn, file = Image.fromarray(PIXELS[0]), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    drawn.save(file, kind, exif=exif) if kind in ("jpeg", "png", "webp") else drawn.save(file, kind)
    return file.getvalue()


def grey() -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS[0, :, :, 0] % 3 + 1).save(file, "png")
    return file.getvalue()


def saved(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def tar() -> bytes:
    def write(file: io.BytesIO) -> None:
        with tarfile.open(fileobj=file, mode="w") as made:
            for name, content in (("a.png", image("png")), ("a.cls", b"1")):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                made.addfile(entry, io.BytesIO(content))

    return saved(write)


def split_name(name: str) -> tuple[str, str] | tuple[None, None]:
    stem, _, extension = name.partition(".")
    return (stem, extension) if stem and extension else (None, None)


def the_tar(file: Path) -> object:
    keys = Keys(("png",), "cls", split_name)
    found = tar_images("train", [Shard(file.name, file)], ("a", "b"), keys)
    return [found.read(index) for index in range(len(found))]


def the_lists(file: Path) -> object:
    for name in ("a/0.png", "b/0.png"):
        (file.parent / name).parent.mkdir(exist_ok=True)
        (file.parent / name).write_bytes(b"")
    return ListsSuite(data=file).open(0)


def the_arrays(file: Path) -> object:
    np.save(file.with_name("labels.npy"), np.array([0, 9]))
    return read_arrays("cifar10", [file, file.with_name("labels.npy")])


def the_image(file: Path) -> object:
    fault = image_fault(file)
    assert fault is None or "\n" not in fault
    return read_image(file)


def the_sweep(file: Path) -> object:
    return read_sweep(str(file))


def weights(legacy: bool) -> bytes:
    nested = {"state_dict": {"module.w": torch.ones(2)}, "epoch": 3}
    return saved(lambda f: torch.save(nested, f, _use_new_zipfile_serialization=not legacy))


CONFIG = b"""seed = 1
epochs = 2
[model]
name = "ViT-B-32"
pretrained = "random"
[mask]
use = "object"
threshold = 0.5
[[loss]]
use = "feature-mse"
weight = 30.0
[[view]]
label = "other"
mask = "context"
fill = "single"
"""
SWEEP = b"""seeds = [0, 1]
[set]
epochs = 1
[grid]
"mask.threshold" = [0.3, 0.5]
[[row]]
name = "a"
recipe = "quick"
"""
MODEL = b"""{"model_cfg": {"embed_dim": 8, "vision_cfg": {"image_size": 32, "layers": 1, "width": 8,
"patch_size": 8}, "text_cfg": {"context_length": 4, "vocab_size": 9, "width": 8, "heads": 1,
"layers": 1}}, "preprocess_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1]}}"""
READERS = {
    **{name: of_format(name) for name in FORMATS},
    **{
        f"checkpoint's {name}": of_checkpoint(name)
        for name in ("manifest.json", "model.json", "state.json", "weights.safetensors")
    },
    "configuration": Reader(
        "toml",
        "own.toml",
        lambda _: (CONFIG,),
        lambda file: resolve(REGISTRY, [read_defaults(), read_file(file)]),
        is_named=False,
    ),
    "sweep of rows and grids": Reader("toml", "sweep.toml", lambda _: (SWEEP,), the_sweep),
    "image": Reader(
        "bytes",
        "0.png",
        lambda _: images("png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm"),
        the_image,
    ),
    "segmentation": Reader("bytes", "mask.png", lambda _: (grey(),), read_binary),
    "trimap": Reader("bytes", "mask.png", lambda _: (grey(),), read_trimap),
    "safetensors": Reader(
        "bytes",
        "w.safetensors",
        lambda _: (safetensors_bytes({"w": torch.ones(2)}, {"cfft": "{}"}),),
        read_weight_file,
    ),
    "weights of PyTorch": Reader(
        "bytes", "w.pt", lambda _: (weights(False), weights(True)), read_weight_file
    ),
    "model of a folder": Reader(
        "json",
        "open_clip_config.json",
        lambda _: (MODEL,),
        lambda file: find_architecture(f"local-dir:{file.parent}"),
    ),
    "table": Reader(
        "text",
        "train.csv",
        lambda _: (b"path,label,split\na/0.png,cat,train\nb/0.png,dog,train\na/0.png,cat,test\n",),
        the_lists,
    ),
    "list": Reader("text", "train.txt", lambda _: (b"a/0.png 0\nb/0.png 1\n",), the_lists),
    "list of a domain": Reader(
        "text",
        "clipart_train.txt",
        lambda _: (b"clipart/cat/0.png 0\nclipart/dog/1.png 1\n",),
        read_list,
    ),
    "tar": Reader("bytes", "train.tar", lambda _: (tar(),), the_tar),
    "batch of CIFAR-10": Reader(
        "bytes",
        "data_batch_1",
        lambda _: (pickle.dumps(ROWS, 2), pickle.dumps({b"data": PIXELS, b"labels": [0, 9]}, 4)),
        lambda file: read_batches("cifar10", [file]),
    ),
    "binary batch of CIFAR-10": Reader(
        "bytes",
        "data_batch_1.bin",
        lambda _: (bytes(3073),),
        lambda file: read_binary_batches("cifar10", [file]),
    ),
    "arrays of CIFAR-10": Reader(
        "array", "v6_data.npy", lambda _: (saved(lambda f: np.save(f, PIXELS)),), the_arrays
    ),
    "archive of CIFAR-10": Reader(
        "archive",
        "test.npz",
        lambda _: (saved(lambda f: np.savez(f, images=PIXELS, labels=np.array([0, 9]))),),
        lambda file: read_archive("cifar10", [file]),
    ),
    "dictionary of CIFAR-10": Reader(
        "bytes",
        "test.npy",
        lambda _: (
            saved(lambda f: np.save(f, {"images": PIXELS, "labels": [0, 9]}, allow_pickle=True)),
        ),
        lambda file: read_dictionary("cifar10", [file]),
    ),
}


def slug(name: str) -> str:
    return name.replace(" ", "-").replace("'", "")


def kept(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / slug(name)).glob("*"))]


def damaged(name: str, good: tuple[bytes, ...]) -> Iterator[bytes]:
    """Yield what failed once, then new damages."""
    reader, found = READERS[name], kept(name)
    yield from found
    for number in range(COUNT):
        rng = Random(f"{name} {number}")
        yield mutated(reader.kind, rng.choice(good), [*good, *found], rng)


def complaint(reader: Reader, file: Path) -> str | None:
    """Return what is wrong with how a file is read, None where that is as it has to be."""
    try:
        reader.read(file)
    except CfftError as error:
        is_named = any(file.name in line or str(file.parent) in line for line in error.problems)
        if (is_named or not reader.is_named) and max(map(len, error.problems)) <= LONGEST:
            return None
        return f"{'long' if is_named else 'without the name'} {place_of(error)}"
    except Exception as error:
        return f"{type(error).__name__} {place_of(error)}"
    return None


def place_of(error: Exception) -> str:
    place = extract_tb(error.__traceback__)[-1]
    return f"at {Path(place.filename).name}:{place.lineno}"


def failures(name: str, folder: Path) -> dict[str, str]:
    """Read damaged files in turn; keep the first of each that fails alike."""
    folder.mkdir()
    found: dict[str, str] = {}
    for number, content in enumerate(damaged(name, READERS[name].good(folder))):
        file = folder / READERS[name].name
        file.write_bytes(content)
        os.utime(file, ns=(number, number))  # an index that is kept goes by the time
        wrong = complaint(READERS[name], file)
        if wrong is not None and wrong not in found:
            found[wrong] = keep(name, content).name
    return found


def keep(name: str, content: bytes) -> Path:
    place = CORPUS / slug(name) / hashlib.sha256(content).hexdigest()[:8]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


@pytest.mark.filterwarnings("ignore::UserWarning")  # of decoders, about what they mended
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_named(name: str, tmp_path: Path) -> None:
    assert failures(name, tmp_path / "x") == {}
