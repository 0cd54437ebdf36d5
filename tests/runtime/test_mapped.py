"""Tensors in temporary files: the values stay, and nothing of the file does."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest
import torch

from cfft.runtime.mapped import mapped_zeros


def test_a_mapped_tensor_holds_what_is_written_and_its_file_has_no_name(tmp_path: Path) -> None:
    found = mapped_zeros((3, 2, 5), torch.float32, tmp_path)

    found[1] = torch.arange(10.0).reshape(2, 5)

    assert found.sum() == 45
    assert found[1, 1].tolist() == [5, 6, 7, 8, 9]
    assert [*tmp_path.iterdir()] == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
def test_the_file_lies_in_the_nearest_folder_that_is_there(tmp_path: Path) -> None:
    found = mapped_zeros((1 << 12,), torch.int64, tmp_path / "to" / "come")

    maps = Path("/proc/self/maps").read_text()
    assert len(found) == 1 << 12
    assert f"{os.path.realpath(tmp_path)}/#" in maps  # of the kind that never had a name


def test_a_full_disk_is_found_at_once_and_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)

    with pytest.raises(OSError, match="No space left") as failed:
        mapped_zeros((1 << 40,), torch.float32, tmp_path)

    assert failed.value.filename == str(tmp_path)


def test_where_files_cannot_be_reserved_their_zeros_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)

    found = mapped_zeros((5, 300_000), torch.float64, tmp_path)

    assert found.shape == (5, 300_000)
    assert not found.any()
