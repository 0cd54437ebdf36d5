"""CIFAR-10's files: pickles of every age, arrays, what they may not hold."""

import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cfft import DataError
from cfft.data.sets import evaluation_sets
from cfft_suites.cifar10.files import read_batches
from cfft_suites.cifar10.images import CLASSES
from cfft_suites.cifar10.suite import Cifar10Suite

Pixels = Callable[[int], NDArray[np.uint8]]
Write = Callable[..., None]


def test_batches_are_read_with_their_channels_in_place(write_batch: Write, tmp_path: Path) -> None:
    row = np.zeros((1, 3, 32, 32), np.uint8)
    row[0, 1] = 255  # green
    row[0, 2, 0] = 255  # blue as well in the top row
    write_batch(tmp_path / "test_batch", [6], data=row.reshape(1, 3072))

    test = Cifar10Suite(data=tmp_path).evaluation(0).test

    assert test is not None
    image = test.read(0)
    assert (image.getpixel((31, 0)), image.getpixel((0, 31))) == ((0, 255, 255), (0, 255, 0))
    assert (list(test.labels), CLASSES[6], test.identify(0)) == ([6], "frog", "test_batch/00000")


def test_a_batch_that_python_2_wrote_is_read(tmp_path: Path) -> None:
    rows = np.arange(3072, dtype=np.uint8).tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR"
        b"(I1\n(I1\nI3072\ntcnumpy\ndtype\n(U\x02u1I0\nI1\ntR(I3\nU\x01|NNNI-1\nI-1\nI0\ntb"
        b"I00\nT" + len(rows).to_bytes(4, "little") + rows + b"tb"
    )
    (tmp_path / "test_batch").write_bytes(b"\x80\x02}(U\x04data" + array + b"U\x06labels](I3\neu.")

    test = read_batches("cifar10", [tmp_path / "test_batch"])

    assert (test.labels, CLASSES[3]) == ((3,), "cat")
    assert test.read(0).getpixel((1, 0)) == (1, 1, 1)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_batch_that_was_saved_anew_is_read(pixels: Pixels, tmp_path: Path, protocol: int) -> None:
    stored = {"data": pixels(2).transpose(0, 3, 1, 2).reshape(2, 3072), "labels": [4, 5]}
    (tmp_path / "test_batch").write_bytes(pickle.dumps(stored, protocol))

    test = read_batches("cifar10", [tmp_path / "test_batch"])

    assert (test.labels, test.read(1).getpixel((3, 3))) == ((4, 5), (1, 1, 1))


@pytest.mark.parametrize(
    "lay",
    [
        np.ascontiguousarray,
        np.asfortranarray,
        lambda rows: rows[::2],
        lambda rows: rows.reshape(4, 32, 96).transpose(0, 2, 1),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_rows_are_read_however_they_lay_in_memory(
    tmp_path: Path, protocol: int, lay: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    rows = lay(np.arange(4 * 3072, dtype=np.uint32).reshape(4, 3072).astype(np.uint8))
    labels = np.arange(len(rows), dtype=">i2")
    stored = {"data": rows, "labels": labels, "batch_label": np.str_("anew")}
    (tmp_path / "test_batch").write_bytes(pickle.dumps(stored, protocol))

    test = read_batches("cifar10", [tmp_path / "test_batch"])

    assert test.labels == tuple(range(len(rows)))
    np.testing.assert_array_equal(
        test.pixels.transpose(0, 3, 1, 2).reshape(rows.shape), rows, strict=True
    )


@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
def test_arrays_of_either_numpy_are_read(pixels: Pixels, tmp_path: Path, core: str) -> None:
    stored = {"data": pixels(1).reshape(1, 3072), "labels": [np.int64(4)]}
    written = pickle.dumps(stored, protocol=0).replace(b"numpy._core", core.encode())
    (tmp_path / "test_batch").write_bytes(written)

    assert read_batches("cifar10", [tmp_path / "test_batch"]).labels == (4,)


@pytest.fixture
def write_binary(pixels: Pixels) -> Write:
    """Return `write_binary(path, labels)`, which writes a batch of the binary version."""

    def write(path: Path, labels: Sequence[int]) -> None:
        path.parent.mkdir(exist_ok=True)
        rows = pixels(len(labels)).transpose(0, 3, 1, 2).reshape(-1, 3072)
        records = zip(labels, rows, strict=True)
        path.write_bytes(b"".join(bytes([label]) + row.tobytes() for label, row in records))

    return write


def test_the_binary_version_is_the_same_set(write_binary: Write, tmp_path: Path) -> None:
    write_binary(tmp_path / "cifar-10-batches-bin" / "test_batch.bin", [7, 8])

    test = evaluation_sets(Cifar10Suite(data=tmp_path), 0).test

    assert test is not None
    assert (list(test.labels), test.identify(1)) == ([7, 8], "test_batch/00001")
    assert test.read(1).getpixel((31, 31)) == (1, 1, 1)


def test_a_binary_batch_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_batch.bin").write_bytes(bytes(5000))

    with pytest.raises(DataError, match=r"test_batch.bin: not the arrays that CIFAR-10 is publ"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)


def test_a_batch_that_would_run_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_batch").write_bytes(b"cos\nsystem\n(S'touch broken'\ntR.")

    with pytest.raises(DataError, match=r"test_batch: .*it asks for os.system, which no batch"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)


class Calling:
    """Is pickled as a call, with the state that its result is given."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


ADDRESS = b"A" * 8  # of an object that is nowhere
OBJECT = np.dtype("O")
REBUILD, SCALAR = np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]
EMPTY = (np.ndarray, (0,), b"b")
IN_A_FIELD = (3, "|", None, ("o",), {"o": (OBJECT, 0)}, 8, 1, 0)  # flags that deny the object
RECORD = Calling(np.dtype, ("V8", False, True), IN_A_FIELD)
NUMBER = Calling(np.dtype, ("i8", False, True), IN_A_FIELD)


@pytest.mark.parametrize(
    "forged",
    [
        Calling(np.ndarray, ((1,), OBJECT, ADDRESS)),
        Calling(SCALAR, (OBJECT, ADDRESS)),
        Calling(SCALAR, (RECORD, ADDRESS)),
        Calling(SCALAR, (NUMBER, ADDRESS)),
        Calling(REBUILD, EMPTY, (1, (1,), OBJECT, False, ADDRESS)),
        Calling(REBUILD, EMPTY, (1, (1,), RECORD, False, ADDRESS)),
        Calling(REBUILD, EMPTY, (1, (1,), NUMBER, False, ADDRESS)),
        Calling(REBUILD, EMPTY, (1, (2,), np.dtype("i8"), False, ADDRESS)),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_batch_that_forges_objects_is_refused(
    tmp_path: Path, forged: Calling, protocol: int
) -> None:
    stored = {"data": np.zeros((1, 3072), np.uint8), "labels": forged}
    (tmp_path / "test_batch").write_bytes(pickle.dumps(stored, protocol))

    with pytest.raises(DataError, match="test_batch: not the arrays that CIFAR-10 is published as"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps([1]), pickle.dumps({})])
def test_what_is_no_batch_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "test_batch").write_bytes(content)

    with pytest.raises(DataError, match="test_batch: not the arrays that CIFAR-10 is published as"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 10], "labels are not all whole numbers from 0 to 9"), ([0], "1 labels for 2 images")],
)
def test_labels_that_do_not_match_are_refused(
    write_batch: Write, tmp_path: Path, labels: list[int], message: str
) -> None:
    write_batch(tmp_path / "test_batch", labels, data=np.zeros((2, 3072), np.uint8))

    with pytest.raises(DataError, match=message):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)


@pytest.mark.parametrize("folder", ["cifar-10.2-master", "CIFAR-10.2", "."])
def test_10_2_is_found_in_its_older_form(pixels: Pixels, tmp_path: Path, folder: str) -> None:
    stored = {"images": pixels(2), "labels": np.array([5, 6]), "keywords": ["a", np.str_("b")]}
    (tmp_path / folder).mkdir(exist_ok=True)
    np.save(tmp_path / folder / "cifar102_test.npy", np.array(stored), allow_pickle=True)

    (images,) = evaluation_sets(Cifar10Suite(data=tmp_path), 0).ood

    assert (images.name, list(images.labels)) == ("cifar10.2", [5, 6])
    assert images.read(1).getpixel((0, 0)) == (1, 1, 1)


@pytest.mark.parametrize(
    "stored", [{"images": Calling(os.system, ("touch broken",))}, {"photos": 1}, [1]]
)
def test_an_older_form_that_holds_anything_else_is_refused(tmp_path: Path, stored: Any) -> None:
    file = tmp_path / "cifar102_test.npy"
    np.save(file, np.array(stored, dtype=object), allow_pickle=True)

    with pytest.raises(DataError, match=r"cifar102_test.npy: not the arrays that CIFAR-10"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)


def test_an_archive_of_other_arrays_is_refused(pixels: Pixels, tmp_path: Path) -> None:
    np.savez(tmp_path / "cifar102_test.npz", photos=pixels(2))

    with pytest.raises(DataError, match=r"cifar102_test.npz: not the arrays .*images"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)


def test_arrays_that_would_run_code_are_refused(write_pairs: Write, tmp_path: Path) -> None:
    write_pairs(tmp_path, "cifar10.1_v6", [1])
    np.save(tmp_path / "cifar10.1_v6_data.npy", np.array([{}], dtype=object), allow_pickle=True)

    with pytest.raises(DataError, match=r"v6_data.npy: not the arrays .*object"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)


def test_arrays_of_another_shape_are_refused(write_pairs: Write, tmp_path: Path) -> None:
    write_pairs(tmp_path, "cifar10.1_v6", [1])
    np.save(tmp_path / "cifar10.1_v6_data.npy", np.zeros((1, 28, 28), np.uint8))

    with pytest.raises(DataError, match=r"images are uint8 \[1, 28, 28\], expected uint8 \[N, 3"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)


def test_an_archive_in_place_of_an_array_is_refused(
    pixels: Pixels, write_pairs: Write, tmp_path: Path
) -> None:
    write_pairs(tmp_path, "cifar10.1_v6", [1])
    np.savez(tmp_path / "other.npz", images=pixels(1))
    (tmp_path / "other.npz").rename(tmp_path / "cifar10.1_v6_data.npy")

    with pytest.raises(DataError, match=r"v6_data.npy: not the arrays .*or the reverse"):
        evaluation_sets(Cifar10Suite(data=tmp_path), 0)
