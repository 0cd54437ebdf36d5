"""Devices, their precision, and the processes that share the work."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal, cast

import attrs
import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import DistributedDataParallelKwargs, gather_object
from torch import Tensor

from cfft.errors import ConfigError
from cfft.runtime.processes import Processes

Precision = Literal["fp32", "bf16", "fp16"]
AUTO = "auto"
AUTO_IS_BF16_ON_CPUS = True
"""Whether auto is bf16 on CPUs that compute in it; False: fp32 on every CPU."""

_CPU_BF16 = ("avx512_bf16", "amx_bf16")


def make_accelerator(precision: str) -> Accelerator:
    """Return the devices to compute on: an accelerator where there is one, else the CPU.

    `precision`: auto, fp32, bf16 or fp16; auto is bf16 where the hardware has it, fp32 elsewhere.
    Raises ConfigError for fp16 without an accelerator, and where the launcher asks for FSDP.
    """
    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true", "yes", "on"):
        raise ConfigError(
            "FSDP (--use_fsdp) is not supported: every process holds the whole model; start "
            "without it"
        )
    has_cuda = torch.cuda.is_available()
    if precision == "fp16" and not has_cuda:
        raise ConfigError("training.precision fp16 needs a GPU and there is none: use fp32 or bf16")
    if precision == AUTO:
        precision = automatic_precision()
    mixed = "no" if precision == "fp32" else precision
    if is_initialized() and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()  # accelerate offers no other way to change a process's mind
    return Accelerator(mixed_precision=mixed, cpu=not has_cuda)


def automatic_precision() -> Precision:
    """Return what auto stands for on this machine: bf16 where its hardware has it, else fp32."""
    if torch.cuda.is_available():
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has_bf16 = AUTO_IS_BF16_ON_CPUS and cpu_has_bf16()
    return "bf16" if has_bf16 else "fp32"


def cpu_has_bf16() -> bool:
    """Tell whether torch multiplies bfloat16 matrices by instructions that this CPU has for it."""
    if not torch.backends.mkldnn.is_available():
        return False
    if hasattr(torch.cpu, "get_capabilities"):
        found = torch.cpu.get_capabilities()
        return any(found.get(name, False) for name in _CPU_BF16)
    # older versions of torch have no public way
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in names)


def allow_unused_parameters(accelerator: Accelerator) -> None:
    """Let several processes train a model of which parts may have no gradient in a step."""
    accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=True)


def processes_of(accelerator: Accelerator) -> Processes:
    """Return the processes that an accelerator knows of."""
    return Processes(accelerator.process_index, accelerator.num_processes, gather_object)


def joined_rows(accelerator: Accelerator) -> Callable[[Tensor], Tensor] | None:
    """Return what joins rows [B, ...] of all processes: [B * processes, ...]; None for one.

    Gradients reach the rows of each process alone, times the number of processes: the mean over
    processes, which is what they train on, is the gradient of what all have computed from the same
    rows. So no process waits for others in its backward pass.
    """
    if accelerator.num_processes == 1:
        return None
    return lambda rows: cast(Tensor, _Joined.apply(rows, accelerator))


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, accelerator: Accelerator) -> Tensor:
        ctx.own = len(rows)
        ctx.process, ctx.count = accelerator.process_index, accelerator.num_processes
        return cast(Tensor, accelerator.gather(rows))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0].narrow(0, ctx.process * ctx.own, ctx.own) * ctx.count, None


def agreement(accelerator: Accelerator) -> Callable[..., tuple[bool, ...]]:
    """Return what tells each process which of its wishes (bools) at least one process has.

    All have to call it at the same point, and this function too. They talk over the CPU, so that
    nobody waits for an accelerator.
    """
    if accelerator.num_processes == 1:
        return lambda *wishes: wishes
    group: Any = None if dist.get_backend() == "gloo" else dist.new_group(backend="gloo")

    def agreed(*wishes: bool) -> tuple[bool, ...]:
        heard = torch.tensor(wishes, dtype=torch.uint8)
        dist.all_reduce(heard, dist.ReduceOp.MAX, group)
        return tuple(map(bool, heard.tolist()))

    return agreed


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
    kind, precision = ("cuda" if count else "cpu"), automatic_precision()
    devices = tuple(map(_device, range(count)))
    return Computing(kind, precision, build, devices, torch.get_num_threads())


def _device(number: int) -> Device:
    free, total = torch.cuda.mem_get_info(number)
    return Device(torch.cuda.get_device_name(number), total, free)
