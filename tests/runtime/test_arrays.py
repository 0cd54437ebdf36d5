"""Arrays in files: refused by what they declare, before anything is read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cfft import DataError
from cfft.runtime import arrays
from cfft.runtime.arrays import require_sound_arrays
from cfft.scoring.predictions import Predictions, read_images
from cfft_suites.cifar10.files import read_archive, read_arrays


def header(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        written, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return written.getvalue()


def archive(path: Path, **parts: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in parts.items():
            written.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_good_archives_pass(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "a.npz", logits=np.zeros((100, 10), np.float32), names=np.array(["a", "bc"]))

    require_sound_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_good_arrays_pass(tmp_path: Path, version: tuple[int, int]) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, np.zeros((3, 0, 2)), version)

    require_sound_arrays(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("shape", "dtype"), [((10**10, 10), "<f4"), ((1,), "<U100000000"), ((10**9,), "|u1")]
)
def test_more_than_there_is_cannot_be_declared(
    tmp_path: Path, shape: tuple[int, ...], dtype: str
) -> None:
    packed = archive(tmp_path / "a.npz", logits=header(shape, dtype) + bytes(4))
    plain = tmp_path / "a.npy"
    plain.write_bytes(header(shape, dtype) + bytes(4))

    with pytest.raises(ValueError, match=r"logits is declared as .* MiB, and has 0\.0 MiB"):
        require_sound_arrays(packed)
    with pytest.raises(ValueError, match="it is declared as"):
        require_sound_arrays(plain)


def test_a_long_header_is_not_read(tmp_path: Path) -> None:
    long = b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little")
    (tmp_path / "a.npy").write_bytes(long)

    with pytest.raises(ValueError, match=r"a header of 2,147,483,648 bytes"):
        require_sound_arrays(tmp_path / "a.npy")


def bomb(path: Path) -> Path:
    """Write an archive that says that it unpacks to four gigabytes."""
    archive(path, logits=header((10**9, 1)) + bytes(100))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (4_000_000_000).to_bytes(4, "little")
    path.write_bytes(content)
    return path


def test_predictions_that_unpack_to_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    path = bomb(tmp_path / "set.npz")

    said = r"set\.npz: no predictions that cfft wrote \(it would unpack from 0\.0 MiB to 3,814"
    with pytest.raises(DataError, match=said):
        Predictions.load(path)
    with pytest.raises(DataError, match=said):
        read_images(path)


def test_images_of_a_suite_that_unpack_to_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cifar\.npz: not the arrays .*would unpack"):
        read_archive("test", [bomb(tmp_path / "cifar.npz")])

    (tmp_path / "labels.npy").write_bytes(header((10**13,), "<i8"))
    np.save(tmp_path / "snow.npy", np.zeros((5, 32, 32, 3), np.uint8))
    with pytest.raises(DataError, match=r"labels\.npy: not the arrays .*declared as int64"):
        read_arrays("snow", [tmp_path / "snow.npy", tmp_path / "labels.npy"])


def test_a_real_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_ALWAYS_ALLOWED", 2**20)
    np.savez_compressed(tmp_path / "set.npz", logits=np.zeros(2**19, np.float32))

    with pytest.raises(ValueError, match=r"from 0\.0 MiB to 2\.0 MiB, over 20 times as much"):
        require_sound_arrays(tmp_path / "set.npz")


def test_a_header_that_does_not_end_is_refused(tmp_path: Path) -> None:
    start = np.lib.format.MAGIC_PREFIX + bytes((2, 0)) + (2**31).to_bytes(4, "little")
    (tmp_path / "a.npy").write_bytes(start + b"{" * 99)

    with pytest.raises(ValueError, match=r"it has a header of 2,147,483,648 bytes"):
        require_sound_arrays(tmp_path / "a.npy")
