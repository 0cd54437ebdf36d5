"""Weight files as people have them: which weights are taken, and what is no weight file."""

from __future__ import annotations

import argparse
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.testing import assert_close

import cfft
from cfft.model.description import find_weights, read_weights
from cfft.model.file_formats import is_safetensors
from cfft.model.stored_weights import StoredWeights, shapes_of
from cfft.model.weights import WeightFile, require_weights_fit

RAW = {"a.weight": torch.ones(2, 2), "b.bias": torch.zeros(2)}
AVERAGE = {"a.weight": torch.full((2, 2), 2.0), "b.bias": torch.zeros(2)}


def stored(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def test_the_weights_that_are_taken_and_those_beside_them_are_named(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.pt", {"epoch": 3, "state_dict": RAW, "state_dict_ema": AVERAGE})

    file = read_weights(path)

    assert_close(dict(file.tensors), RAW)
    assert file.nest == "state_dict"
    assert file.warnings == (
        f"{path}: takes the weights 'state_dict'; others lie beside them: state_dict_ema: "
        f"{path}:state_dict_ema would take those, and {path}:state_dict says that these are meant",
    )


@pytest.mark.parametrize(("nest", "expected"), [("state_dict_ema", AVERAGE), ("state_dict", RAW)])
def test_a_nest_that_is_asked_for_is_taken_without_a_word(
    nest: str, expected: dict[str, Tensor], tmp_path: Path
) -> None:
    path = stored(tmp_path / "w.pt", {"state_dict": RAW, "state_dict_ema": AVERAGE})

    file = read_weights(Path(f"{path}:{nest}"))

    assert_close(dict(file.tensors), expected)
    assert (file.path, file.nest, file.warnings) == (path, nest, ())


@pytest.mark.parametrize(
    "nest",
    ["state_dict", "model", "model_state_dict", "model_ema", "teacher", "student", "my_own"],
)
def test_the_only_weights_in_a_file_are_taken_whatever_they_are_called(
    nest: str, tmp_path: Path
) -> None:
    options = argparse.Namespace(lr=0.1)
    path = stored(tmp_path / "w.pt", {nest: RAW, "epoch": 3, "args": options})

    file = read_weights(path)

    assert_close(dict(file.tensors), RAW)
    assert (file.nest, file.warnings) == (nest, ())


def test_weights_in_a_nest_of_a_nest_are_found(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.pt", {"model": {"student": RAW, "teacher": AVERAGE}})

    assert_close(dict(read_weights(path).tensors), AVERAGE)
    assert_close(dict(read_weights(Path(f"{path}:model.student")).tensors), RAW)


def test_the_state_of_an_optimiser_is_no_weights(tmp_path: Path) -> None:
    state = {"state": {"a.weight": {"exp_avg": torch.ones(2, 2)}}}
    path = stored(tmp_path / "w.pt", {"weights_of_mine": RAW, "optimizer": state})

    assert read_weights(path).nest == "weights_of_mine"


def test_several_weights_of_which_none_is_usual_are_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.pt", {"one": RAW, "two": AVERAGE})

    with pytest.raises(cfft.WeightsError, match=r"several state dicts \(one, two\).*w.pt:one"):
        read_weights(path)


def test_a_nest_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.pt", {"state_dict": RAW, "state_dict_ema": AVERAGE})

    with pytest.raises(cfft.WeightsError, match=r"'ema'.*it has: state_dict, state_dict_ema$"):
        read_weights(Path(f"{path}:ema"))


def test_nests_of_nests_are_named_in_full(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.pt", {"model": {"student": RAW, "teacher": AVERAGE}})

    with pytest.raises(cfft.WeightsError, match=r"it has: model.student, model.teacher$"):
        read_weights(Path(f"{path}:ema"))


def test_of_a_file_without_nests_its_parts_are_named(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({**under("module.visual.", RAW), **under("module.text.", AVERAGE)}, path)

    expected = "unknown part 'ema'; the file is one state dict with the parts: text, visual: "
    with pytest.raises(cfft.WeightsError, match=expected + "leave ':ema' out to take all of it"):
        read_weights(Path(f"{path}:ema"))


def test_a_name_with_a_colon_in_it_is_a_file(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.pt:model", {"state_dict": RAW, "model": AVERAGE})
    stored(tmp_path / "w.pt", {"model": AVERAGE})

    assert_close(dict(read_weights(path).tensors), RAW)
    assert_close(dict(read_weights(Path(f"{path}:model")).tensors), AVERAGE)


def test_models_with_a_nest_are_found_and_merged(tmp_path: Path) -> None:
    path = Path(f"{stored(tmp_path / 'w.pt', {'state_dict': RAW, 'ema': AVERAGE})}:ema")

    assert find_weights(path) == path
    assert_close(dict(StoredWeights([path])[0]), AVERAGE)
    assert shapes_of(path).keys() == AVERAGE.keys()


@pytest.mark.parametrize(
    "prefix",
    ["_orig_mod.", "model.", "module.", "module.module.", "module._orig_mod.", "_orig_mod.model."],
)
def test_prefixes_of_what_wrapped_the_model_are_cut_off(prefix: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(under(prefix, RAW), path)

    assert_close(dict(read_weights(path).tensors), RAW)
    assert [dict(StoredWeights([path])[0]).keys() for _ in "ab"] == [RAW.keys()] * 2
    assert shapes_of(path).keys() == RAW.keys()


def test_every_access_of_a_file_with_prefixes_gives_the_same_names(tmp_path: Path) -> None:
    save_file(under("module.", RAW), tmp_path / "w.safetensors")
    weights = StoredWeights([tmp_path / "w.safetensors"])

    assert weights[0].keys() == weights[0].keys() == RAW.keys()


def test_a_compiled_part_inside_a_model_has_its_own_names(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.pt", {"visual._orig_mod.a": torch.ones(1), "b": torch.ones(1)})

    assert list(read_weights(path).tensors) == ["visual.a", "b"]


def test_an_average_of_torch_is_read_without_its_counter(tmp_path: Path) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.Linear(2, 2))
    path = stored(tmp_path / "w.pt", averaged.state_dict())

    assert read_weights(path).tensors.keys() == {"weight", "bias"}


def test_the_prefix_of_weights_that_do_not_fit_is_named_with_the_way_out(tmp_path: Path) -> None:
    held = {"state_dict": {**under("teacher.backbone.", RAW), "loss.center": torch.ones(1)}}
    path = stored(tmp_path / "w.pt", held)

    with pytest.raises(
        cfft.WeightsError, match=r"under teacher\.backbone\.: give .*w.pt:state_dict\.teacher\.back"
    ):
        require_weights_fit(RAW, read_weights(path), "mine")
    assert_close(dict(read_weights(Path(f"{path}:state_dict.teacher.backbone")).tensors), RAW)
    assert_close(dict(read_weights(Path(f"{path}:teacher.backbone")).tensors), RAW)


def test_weights_under_a_prefix_of_a_safetensors_file_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({**under("student.", RAW), **under("teacher.", AVERAGE)}, path)

    assert_close(dict(read_weights(Path(f"{path}:teacher")).tensors), AVERAGE)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.uint8, torch.bool])
def test_whole_numbers_are_no_weights(dtype: torch.dtype) -> None:
    file = WeightFile(Path("w.pt"), {**RAW, "b.bias": torch.zeros(2, dtype=dtype)})

    with pytest.raises(cfft.WeightsError, match=r"1 tensors hold whole .*'b.bias'.*floating point"):
        require_weights_fit(RAW, file, "mine")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_numbers_are_weights(dtype: torch.dtype) -> None:
    require_weights_fit(
        RAW, WeightFile(Path("w"), {k: t.to(dtype) for k, t in RAW.items()}), "mine"
    )


@pytest.mark.parametrize("name", ["pytorch_model.bin", "w.pt", "w"])
def test_a_safetensors_file_is_read_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    save_file(RAW, tmp_path / name)

    assert_close(dict(read_weights(tmp_path / name).tensors), RAW)
    assert is_safetensors(tmp_path / name)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pytorch_file_is_read_though_it_is_called_safetensors(
    zipped: bool, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    torch.save(RAW, path, _use_new_zipfile_serialization=zipped)

    assert_close(dict(read_weights(path).tensors), RAW)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "a Git LFS pointer.*git lfs pull",
        ),
        (b"\n<!DOCTYPE html><html>404", "an HTML page, as servers send it"),
        (b"\xef\xbb\xbf<html><body>", "an HTML page, as servers send it"),
        (b"<?xml version='1.0'?><Error/>", "an XML message"),
        (b'{"error": "Repository not found"}', "JSON, not weights"),
        (b"\x1f\x8b\x08rest", "compressed with gzip: unpack it"),
        (bytes(600), "begins with zeros, an interrupted download"),
        (b"\x93NUMPY\x01", "a NumPy array"),
        (b"\x89HDF\r\n", "an HDF5 file"),
    ],
    ids=["empty", "lfs", "html", "html-bom", "xml", "json", "gzip", "zeros", "numpy", "hdf5"],
)
@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_what_is_no_weight_file_is_told_by_its_first_bytes(
    content: bytes, words: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(cfft.WeightsError, match=f"{name}: {words}"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pytorch_file_that_was_cut_off_is_told_so(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"a": torch.ones(100)}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(cfft.WeightsError, match=r"w.pt: incomplete download or copy"):
        read_weights(path)


@pytest.mark.parametrize(
    ("member", "words"),
    [("params/kernel.npy", "a NumPy archive"), ("readme.txt", "no PyTorch file: unpack it")],
)
def test_archives_of_other_things_are_told(member: str, words: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr(member, b"")

    with pytest.raises(cfft.WeightsError, match=words):
        read_weights(tmp_path / "w.pt")


class _Touch:
    """Write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_pickle_of_a_whole_object_is_named_and_never_run(
    protocol: int, wrapped: bool, tmp_path: Path
) -> None:
    trap = _Touch(tmp_path / "ran")
    content = {"model": RAW, "args": argparse.Namespace(x=trap)} if wrapped else trap
    path = tmp_path / "w.safetensors"
    path.write_bytes(pickle.dumps(content, protocol=protocol))

    with pytest.raises(cfft.WeightsError, match=r"could run code.*save_file"):
        read_weights(path)
    assert not (tmp_path / "ran").exists()
