"""Count the arithmetic of a step, and measure how fast a machine multiplies matrices."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_CPU_SIDE, _GPU_SIDE, _TIMES = 1024, 8192, 5
aten = torch.ops.aten


def operations(action: Callable[[], object]) -> int:
    """Count the floating-point operations of matrix products in `action`, 2 for each product."""
    with FlopCounterMode(display=False, custom_mapping=_ON_CPU) as counter:
        action()
    return int(counter.get_total_flops())


def matmul_peak(precision: str, device: torch.device) -> float:
    """Return operations per second of large square matrix products: the median of five."""
    side = _CPU_SIDE if device.type == "cpu" else _GPU_SIDE
    one, other = (torch.randn(side, side, device=device, dtype=_DTYPES[precision]) for _ in "ab")
    seconds = [seconds_of(lambda: one @ other, device) for _ in range(_TIMES + 1)]
    return 2 * side**3 / median(seconds[1:])


def seconds_of(action: Callable[[], object], device: torch.device) -> float:
    """Return how long `action` takes until the device is done with it."""
    wait(device)
    start = time.perf_counter()
    action()
    wait(device)
    return time.perf_counter() - start


def wait(device: torch.device) -> None:
    """Wait until the device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _forward(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


def _backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_backward_flop_count(gradient, query, key, value)


_ON_CPU = {  # which torch's counter leaves out
    aten._scaled_dot_product_flash_attention_for_cpu: _forward,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _backward,
}
