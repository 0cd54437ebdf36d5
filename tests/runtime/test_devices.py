"""Devices: their precision, and the processes that they know of."""

import pytest
import torch

from cfft.errors import ConfigError
from cfft.runtime import devices
from cfft.runtime.devices import (
    agreement,
    cpu_has_bf16,
    joined_rows,
    make_accelerator,
    precision_of,
    processes_of,
)

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")


@no_gpu
def test_half_precision_without_a_gpu_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"fp16 needs a GPU.*bf16"):
        make_accelerator("fp16")


@no_gpu
def test_one_process_may_change_precision_between_runs() -> None:
    asked = ("fp32", "bf16", "bf16", "fp32")

    found = [precision_of(make_accelerator(precision)) for precision in asked]

    assert found == ["fp32", "bf16", "bf16", "fp32"]


@no_gpu
@pytest.mark.parametrize(
    ("capabilities", "allowed", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": True}, True, "bf16"),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, True, "fp32"),
        ({"neon": True}, True, "fp32"),
        ({"avx512_bf16": True}, False, "fp32"),
    ],
)
def test_auto_is_bf16_on_cpus_that_have_instructions_for_it(
    monkeypatch, capabilities, allowed, expected
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(devices, "AUTO_IS_BF16_ON_CPUS", allowed)

    assert precision_of(make_accelerator("auto")) == expected


@pytest.mark.parametrize(
    ("avx512", "amx", "expected"),
    [(True, False, True), (False, True, True), (False, False, False)],
)
def test_older_versions_of_torch_are_asked_in_their_own_way(
    monkeypatch, avx512, amx, expected
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)

    assert cpu_has_bf16() is expected


def test_a_torch_without_onednn_multiplies_bfloat16_slowly(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)

    assert not cpu_has_bf16()


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
