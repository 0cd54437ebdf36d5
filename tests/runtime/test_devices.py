"""Devices: their precision, and the processes that they know of."""

import pytest
import torch

from cfft.errors import ConfigError
from cfft.runtime.devices import (
    agreement,
    joined_rows,
    make_accelerator,
    precision_of,
    processes_of,
)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_half_precision_without_a_gpu_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"fp16 needs a GPU.*bf16"):
        make_accelerator("fp16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_one_process_may_change_precision_between_runs() -> None:
    asked = ("auto", "bf16", "bf16", "fp32")

    found = [precision_of(make_accelerator(precision)) for precision in asked]

    assert found == ["fp32", "bf16", "bf16", "fp32"]


def test_the_only_process_is_the_main_one_and_hears_itself() -> None:
    processes = processes_of(make_accelerator("fp32"))

    assert (processes.index, processes.count, processes.is_main) == (0, 1, True)
    assert processes.join(["found"]) == ["found"]


def test_a_model_is_not_divided_among_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")

    with pytest.raises(ConfigError, match=r"FSDP .* is not supported: .* start without it"):
        make_accelerator("fp32")


def test_rows_of_one_process_need_no_joining() -> None:
    assert joined_rows(make_accelerator("fp32")) is None


def test_one_process_agrees_with_itself() -> None:
    assert agreement(make_accelerator("fp32"))(True, False) == (True, False)
