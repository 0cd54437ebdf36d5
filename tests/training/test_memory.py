"""Lack of memory: recognised as torch raises it, and answered with what helps this run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
import torch

from cfft.cli.errors import reported
from cfft.errors import TrainingError, lack_of_memory
from cfft.training.batches import BatchPlan
from cfft.training.memory import memory_named, remedies
from cfft.training.run_directory import RunDirectory

SAID = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 1 GiB"
FAR_TOO_MANY = 2**58


def run_config(smallest_fill: int = 1, **training: Any) -> Any:
    """Return as much of a configuration as memory depends on."""

    class Fill:
        smallest_batch = smallest_fill

    settings = {"batch_size": 64, "precision": "fp32", "checkpoint_activations": False, **training}
    view = SimpleNamespace(fill=SimpleNamespace(strategy=Fill()))
    return SimpleNamespace(training=SimpleNamespace(**settings), all_views=lambda: [view])


def batches(micro: int = 64, processes: int = 1) -> BatchPlan:
    return BatchPlan(images=1000, batch=64, processes=processes, micro=micro)


def fails() -> NoReturn:
    raise torch.OutOfMemoryError(SAID)


def test_the_memory_of_the_computer_is_told_from_that_of_a_device() -> None:
    with pytest.raises((RuntimeError, MemoryError)) as real:
        torch.empty(FAR_TOO_MANY, dtype=torch.uint8)

    assert lack_of_memory(real.value) == "the computer's is full, 2.88e+08 GB more asked for"
    assert lack_of_memory(MemoryError()) == "the computer's is full"
    assert (
        lack_of_memory(torch.OutOfMemoryError(SAID))
        == "CUDA out of memory, 20.00 MiB more asked for"
    )
    assert lack_of_memory(RuntimeError("CUDA error: out of memory\nCompile with")) == (
        "CUDA error: out of memory"
    )
    assert lack_of_memory(RuntimeError("shapes do not match")) is None


@pytest.mark.parametrize(
    ("settings", "plan", "begun", "expected"),
    [
        (
            {},
            batches(),
            False,
            [
                *("--micro-batch 32", "--checkpoint-activations", "--precision bf16"),
                "a smaller --batch-size",
            ],
        ),
        ({}, batches(micro=1), True, ["--checkpoint-activations", "--precision bf16"]),
        (
            {"precision": "bf16", "checkpoint_activations": True},
            batches(micro=8),
            True,
            ["--micro-batch 4"],
        ),
        (
            {"batch_size": 18, "precision": "bf16", "checkpoint_activations": True},
            batches(micro=9),
            True,
            ["--micro-batch 3"],
        ),
        (
            {"smallest_fill": 2, "precision": "bf16", "checkpoint_activations": True},
            batches(micro=2),
            True,
            [],
        ),
        (
            {"precision": "bf16", "checkpoint_activations": True},
            batches(micro=16, processes=4),
            True,
            ["--micro-batch 8"],
        ),
    ],
)
def test_what_is_named_makes_this_run_smaller(
    settings: dict[str, Any], plan: BatchPlan, begun: bool, expected: list[str]
) -> None:
    assert remedies(run_config(**settings), plan, begun=begun) == expected


def test_before_a_run_has_begun_the_error_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.raises(SystemExit) as ended,
        reported(),
        memory_named(run_config(), batches(), RunDirectory(tmp_path / "RUN")),
    ):
        fails()

    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "error: out of memory (CUDA out of memory, 20.00 MiB more asked for) with 64 images per "
        "forward pass in fp32 (--batch-size 64): --micro-batch 32 or --checkpoint-activations or "
        "--precision bf16 or a smaller --batch-size\n"
    )


def test_a_run_that_has_begun_is_told_how_to_go_on_with_less(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.config.touch()

    with pytest.raises(TrainingError) as caught, memory_named(run_config(), batches(), run, run):
        fails()

    assert caught.value.problems[1] == (
        f"what is stored is intact; continue with: cfft run --resume --out {tmp_path} "
        "--allow-changed settings --micro-batch 32"
    )


def test_a_stage_goes_on_with_the_run_that_it_belongs_to(tmp_path: Path) -> None:
    main = RunDirectory(tmp_path)
    stage = main.stage("probe")
    stage.config.parent.mkdir(parents=True)
    stage.config.touch()

    with pytest.raises(TrainingError) as caught, memory_named(run_config(), batches(), stage, main):
        fails()

    assert caught.value.problems[1].endswith(f"continue with: cfft run --resume --out {tmp_path}")


def test_other_errors_pass(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"^other$"),
        memory_named(run_config(), batches(), RunDirectory(tmp_path)),
    ):
        raise ValueError("other")
