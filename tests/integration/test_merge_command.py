"""`cfft merge`: the weight average of two models, from files and from checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from cfft.model import checkpoint
from cfft.model.checkpoint import Checkpoint
from cfft.model.description import read_weights

Command = Callable[..., Any]


def weights(value: float) -> dict[str, Tensor]:
    return {"head.weight": torch.full((2, 3), value), "head.bias": torch.zeros(2)}


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Write the weights 1 and 3 and return their paths."""
    save_file(weights(1.0), tmp_path / "a.safetensors")
    save_file(weights(3.0), tmp_path / "b.safetensors")
    return str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    ("alpha", "expected"), [([], 2.0), (["--alpha", "0"], 1.0), (["--alpha", "0.75"], 2.5)]
)
def test_two_files_give_their_average(
    cfft_command: Command, files: tuple[str, str], tmp_path: Path, alpha: list[str], expected: float
) -> None:
    out = tmp_path / "new" / "mean.safetensors"

    ended = cfft_command("merge", *files, *alpha, "--out", str(out))

    assert (ended.code, ended.out) == (0, f"wrote {out}\n")
    torch.testing.assert_close(load_file(out), weights(expected))


def described(classes: list[str]) -> dict[str, Any]:
    prepared = {"size": [8, 8], "resize": 8, "interpolation": "bicubic"}
    colours = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    return {
        "backbone": "mine", "name": "tiny", "rebuild": "tiny", "identity": {"width": "3"},
        "preprocessing": {**prepared, **colours}, "normalised": True, "classes": classes,
        "head": "linear-probe", "prompts": [], "seeds": [],
    }  # fmt: skip


def test_two_checkpoints_give_a_checkpoint_that_says_which_model_it_is(
    cfft_command: Command, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "a", Checkpoint(weights(1.0), described(["cat", "dog"])))
    checkpoint.save(tmp_path / "b", Checkpoint(weights(3.0), described(["cat", "dog"])))

    cfft_command("merge", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c"))

    merged = checkpoint.load(tmp_path / "c")
    assert merged.model == described(["cat", "dog"])
    torch.testing.assert_close(dict(merged.weights), weights(2.0))


def test_checkpoints_of_different_models_are_not_averaged(
    cfft_command: Command, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "a", Checkpoint(weights(1.0), described(["cat", "dog"])))
    checkpoint.save(tmp_path / "b", Checkpoint(weights(3.0), described(["cat", "cow"])))

    ended = cfft_command(
        "merge", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c")
    )

    assert ended.code == 2
    assert "weights.safetensors is a different model from " in ended.err
    assert ": class 1 is 'cow', not 'dog'" in ended.err


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (["--alpha", "1.5"], "alpha 1.5 is out of range"),
        (["--out", "a.safetensors"], "--out a.safetensors exists: give another path"),
        (["--out", "folder"], "does not say which model it is: give --out NAME.safetensors"),
    ],
)
def test_what_cannot_be_averaged_ends_with_one_line(
    cfft_command: Command,
    files: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = cfft_command("merge", *files, "--out", "new.safetensors", *change)

    assert ended.code == 2
    assert line in ended.err
    assert not Path("new.safetensors").exists()


def test_a_file_beneath_a_file_cannot_be_written(
    cfft_command: Command, files: tuple[str, str]
) -> None:
    ended = cfft_command("merge", *files, "--out", f"{files[0]}/mean.safetensors")

    assert ended.code == 2
    assert "a.safetensors is a file: give another path" in ended.err


def test_a_place_that_the_system_refuses_is_named_with_the_reason(
    cfft_command: Command, files: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / f"{'long' * 100}.safetensors"

    ended = cfft_command("merge", *files, "--out", str(out))

    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "File name too long" in ended.err


def test_a_merged_file_says_whose_weights_it_holds_and_others_may_read_it(
    cfft_command: Command, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "a", Checkpoint(weights(1.0), described(["cat", "dog"])))
    save_file(weights(3.0), tmp_path / "b.safetensors")
    (tmp_path / "ordinary").touch()
    out = tmp_path / "mean.safetensors"

    cfft_command("merge", str(tmp_path / "b.safetensors"), str(tmp_path / "a"), "--out", str(out))

    assert read_weights(out).identity == {"width": "3"}
    assert out.stat().st_mode == (tmp_path / "ordinary").stat().st_mode
    assert not list(tmp_path.glob("*.partial"))


def test_files_that_say_they_are_of_different_models_are_not_averaged(
    cfft_command: Command, tmp_path: Path
) -> None:
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    checkpoint.write_weights(paths[0], weights(1.0), {"activation": "GELU"})
    checkpoint.write_weights(paths[1], weights(3.0), {"activation": "QuickGELU"})

    ended = cfft_command("merge", *map(str, paths), "--out", str(tmp_path / "c.safetensors"))

    assert ended.code == 2
    assert f"is a different model from {paths[0]}: activation is QuickGELU, not GELU" in ended.err


def test_a_damaged_checkpoint_is_not_averaged(cfft_command: Command, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", Checkpoint(weights(1.0), described(["cat", "dog"])))
    broken = tmp_path / "a" / "weights.safetensors"
    broken.write_bytes(broken.read_bytes()[:-1] + b"!")

    ended = cfft_command("merge", str(tmp_path / "a"), str(broken), "--out", str(tmp_path / "c"))

    assert ended.code == 2
    assert "weights.safetensors is damaged" in ended.err


def test_alpha_is_checked_before_any_file_is_read(cfft_command: Command) -> None:
    ended = cfft_command("merge", "nowhere", "nowhere", "--alpha", "2", "--out", "c.safetensors")

    assert ended.code == 2
    assert "alpha 2 is out of range" in ended.err


def test_a_missing_model_is_named(cfft_command: Command, files: tuple[str, str]) -> None:
    ended = cfft_command("merge", files[0], "nowhere", "--out", "new.safetensors")

    assert ended.code == 2
    assert "nowhere" in ended.err
