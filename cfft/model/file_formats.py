"""Formats of weight files, told by their first bytes: suffixes are often wrong."""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from cfft.errors import WeightsError
from cfft.runtime.stand_ins import FETCH_AGAIN, HEAD_BYTES, stand_in, text_told_by

Format = Literal["safetensors", "pytorch"]

_SAFETENSORS = ".safetensors"
_LONGEST_HEADER = 100_000_000  # bytes, of a safetensors file
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_OTHERS: Mapping[bytes, str] = {
    b"{": "JSON, not weights (a server's message, or the index of weights in several parts): give "
    "the weight file itself, in one part",
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"\x89HDF": "an HDF5 file (Keras, TensorFlow): convert it to PyTorch or safetensors first",
    b"GGUF": "a GGUF file (llama.cpp): convert it to PyTorch or safetensors first",
    b"\x93NUMPY": "a NumPy array: cfft reads PyTorch files and safetensors",
}


@contextmanager
def readable_path(path: Path) -> Iterator[Path]:
    """Yield a path of the same file that safetensors can open: it takes UTF-8 alone."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            yield Path(f"/dev/fd/{file.fileno()}")
    else:
        yield path


def format_of(path: Path) -> Format:
    """Return the format of a file by its first bytes; by its suffix where they say nothing.

    Raises WeightsError, with a sentence for each, for what is mistaken for weights.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error}") from error
    if not head:
        raise WeightsError(f"{path}: the file is empty: {FETCH_AGAIN}")
    if _is_safetensors(head):
        return "safetensors"
    told = stand_in(head) or text_told_by(head, _OTHERS)
    if told:
        raise WeightsError(f"{path}: {told}")
    if len(head) == HEAD_BYTES and not any(head):
        raise WeightsError(f"{path}: begins with zeros, an interrupted download: {FETCH_AGAIN}")
    if head.startswith(_ZIP):
        _check_archive(path)
        return "pytorch"
    by_suffix = path.suffix == _SAFETENSORS and not head.startswith(_PICKLE)
    return "safetensors" if by_suffix else "pytorch"


def is_safetensors(path: Path) -> bool:
    """Tell whether a file is there and has a safetensors header, whatever it is called."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _is_safetensors(file.read(HEAD_BYTES))


def pickled_class(path: Path) -> str | None:
    """Name the first class in a plain pickle, of which nothing is run; None where none is told."""
    words: list[str] = []
    try:
        with path.open("rb") as file:
            for code, value, _ in pickletools.genops(file):
                if code.name == "GLOBAL":
                    return str(value).replace(" ", ".")
                if code.name == "STACK_GLOBAL":
                    return ".".join(words[-2:])
                if isinstance(value, str):
                    words.append(value)
    except Exception:  # damaged bytes, which may ask for more than the memory holds
        return None
    return None


def _is_safetensors(head: bytes) -> bool:
    """Tell whether a file begins with the length of a header and the brace that opens it."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and length <= _LONGEST_HEADER


def _check_archive(path: Path) -> None:
    """Raise WeightsError for zip archives that torch.save did not write."""
    try:
        with zipfile.ZipFile(path) as archive:  # its directory stands at the end
            names = archive.namelist()
    except Exception as error:  # a damaged directory leads to more kinds than BadZipFile
        raise WeightsError(f"{path}: incomplete download or copy: {FETCH_AGAIN}") from error
    if any(name.endswith("/constants.pkl") for name in names):
        raise WeightsError(
            f"{path}: a TorchScript archive, which cfft does not run; name OpenAI's weights by tag "
            "(--pretrained openai), or save its tensors first: "
            "torch.save(torch.jit.load(PATH, map_location='cpu').state_dict(), 'weights.pt')"
        )
    if any(name.endswith(".npy") for name in names):
        raise WeightsError(
            f"{path}: a NumPy archive (as JAX models have it): cfft reads PyTorch files and "
            "safetensors"
        )
    if not any(name.endswith("data.pkl") for name in names):
        raise WeightsError(f"{path}: a zip archive that is no PyTorch file: unpack it first")
