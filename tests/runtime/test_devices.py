"""Devices: their precision, and the processes that they know of."""

import pytest
import torch

from cfft.errors import ConfigError
from cfft.runtime.devices import make_accelerator, precision_of, processes_of


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
