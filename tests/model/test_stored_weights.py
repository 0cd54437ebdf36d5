"""Weights on disk that are read when they are needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

import cfft
from cfft.model import checkpoint
from cfft.model.checkpoint import Checkpoint
from cfft.model.stored_weights import LazyWeights, StoredWeights, shapes_of


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Write the weights 1 and 2 as a safetensors file and as a pickle of tensors."""
    save_file({"w": torch.ones(2), "v": torch.ones(1)}, tmp_path / "a.safetensors")
    torch.save({"w": torch.full((2,), 2.0)}, tmp_path / "b.pt")
    return [tmp_path / "a.safetensors", tmp_path / "b.pt"]


def test_files_of_both_sorts_are_read_by_position(paths: list[Path]) -> None:
    stored = StoredWeights(paths)

    assert_close(dict(stored[0]), {"w": torch.ones(2), "v": torch.ones(1)})
    assert_close(dict(stored[-1]), {"w": torch.full((2,), 2.0)})
    assert [sorted(each) for each in stored] == [["v", "w"], ["w"]]


def test_positions_that_were_accessed_are_known(paths: list[Path]) -> None:
    stored = StoredWeights(paths)

    _ = stored[-1]

    assert stored.used == {1}


def test_each_tensor_is_read_again_so_that_none_is_held(paths: list[Path]) -> None:
    weights = StoredWeights(paths)[0]

    assert weights["w"] is not weights["w"]


def test_a_tensor_that_is_not_there_is_missing_as_in_a_dict(paths: list[Path]) -> None:
    weights = StoredWeights(paths)[0]

    assert "x" not in weights
    assert weights.get("x") is None


def test_a_damaged_checkpoint_is_refused_at_its_first_access(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", Checkpoint({"w": torch.ones(2)}, {}))
    file = tmp_path / "a" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"!")

    with pytest.raises(cfft.WeightsError, match="is damaged"):
        StoredWeights([tmp_path / "a"])[0]


def test_shapes_are_known_without_the_values(paths: list[Path]) -> None:
    found = [{name: tuple(value.shape) for name, value in shapes_of(p).items()} for p in paths]

    assert found == [{"v": (1,), "w": (2,)}, {"w": (2,)}]
    assert shapes_of(paths[0])["w"].is_meta


def test_a_file_that_is_cut_off_has_no_shapes(paths: list[Path]) -> None:
    paths[0].write_bytes(paths[0].read_bytes()[:9])

    with pytest.raises(cfft.WeightsError, match="incomplete download or copy"):
        shapes_of(paths[0])


def test_lazy_weights_are_computed_once_and_only_if_needed() -> None:
    calls: list[int] = []
    lazy = LazyWeights(lambda: calls.append(1) or {"w": torch.ones(1)})

    before = list(calls)
    read = [lazy["w"], lazy["w"]]

    assert (before, calls, len(read)) == ([], [1], 2)
