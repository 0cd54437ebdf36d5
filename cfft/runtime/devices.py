"""Devices, their precision, and the processes that share the work."""

from __future__ import annotations

from typing import Any, Literal

import attrs
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import DistributedDataParallelKwargs, gather_object

from cfft.errors import ConfigError
from cfft.runtime.processes import Processes

Precision = Literal["fp32", "bf16", "fp16"]


def make_accelerator(precision: str) -> Accelerator:
    """Return the devices to compute on: an accelerator where there is one, else the CPU.

    `precision`: auto, fp32, bf16 or fp16; auto is bf16 where CUDA has it in hardware. Raises
    ConfigError for fp16 without an accelerator.
    """
    has_cuda = torch.cuda.is_available()
    if precision == "fp16" and not has_cuda:
        raise ConfigError("training.precision fp16 needs a GPU and there is none: use fp32 or bf16")
    if precision == "auto":
        precision = _auto_precision(has_cuda=has_cuda)
    mixed = "no" if precision == "fp32" else precision
    if is_initialized() and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()  # accelerate offers no other way to change a process's mind
    return Accelerator(mixed_precision=mixed, cpu=not has_cuda)


def allow_unused_parameters(accelerator: Accelerator) -> None:
    """Let several processes train a model of which parts may have no gradient in a step."""
    accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=True)


def processes_of(accelerator: Accelerator) -> Processes:
    """Return the processes that an accelerator knows of."""
    return Processes(accelerator.process_index, accelerator.num_processes, gather_object)


def precision_of(accelerator: Accelerator) -> str:
    """Name the precision that an accelerator computes in: fp32, bf16 or fp16."""
    return "fp32" if accelerator.mixed_precision == "no" else accelerator.mixed_precision


def surroundings(accelerator: Accelerator) -> dict[str, Any]:
    """Return what numbers depend on besides the configuration."""
    return {
        "processes": accelerator.num_processes,
        "device": accelerator.device.type,
        "precision": precision_of(accelerator),
    }


@attrs.frozen
class Device:
    """Describe one accelerator: memory in bytes."""

    name: str
    memory: int
    free: int


@attrs.frozen
class Computing:
    """Describe what training computes on and with, as `make_accelerator` chooses.

    `kind`: cuda or cpu. `precision`: that of --precision auto. `build`: what torch was built for.
    """

    kind: str
    precision: str
    build: str
    devices: tuple[Device, ...]
    threads: int


def computing() -> Computing:
    """Look at devices without beginning work on any."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    cuda, rocm = torch.version.cuda, torch.version.hip
    build = f"CUDA {cuda}" if cuda else f"ROCm {rocm}" if rocm else "CPU only"
    kind, precision = ("cuda" if count else "cpu"), _auto_precision(has_cuda=count > 0)
    devices = tuple(map(_device, range(count)))
    return Computing(kind, precision, build, devices, torch.get_num_threads())


def _device(number: int) -> Device:
    free, total = torch.cuda.mem_get_info(number)
    return Device(torch.cuda.get_device_name(number), total, free)


def _auto_precision(*, has_cuda: bool) -> str:
    has_bf16 = has_cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if has_bf16 else "fp32"
