"""The weights of a vision transformer under common names, for adaptations."""

from __future__ import annotations

from typing import Literal

import attrs
from torch import Tensor, nn

Role = Literal["attention-in", "attention-out", "mlp-in", "mlp-out"]


@attrs.frozen(eq=False)
class BlockWeight:
    """Name one linear weight of a transformer block, whichever library built it.

    `module` holds the weight as the attribute `weight`, [outputs, inputs], and its bias as the
    attribute `bias`, [outputs]; None where there is no bias. `role`: "attention-in" (queries, keys
    and values), "attention-out", "mlp-in" or "mlp-out". `stacked`: how many matrices of one size
    stand one above the other in it: 3 for "attention-in", else 1.
    """

    role: Role
    module: nn.Module
    weight: str
    bias: str | None
    stacked: int = 1

    @property
    def value(self) -> Tensor:
        """The weight as it stands: [outputs, inputs]."""
        value: Tensor = getattr(self.module, self.weight)
        return value


@attrs.frozen(eq=False)
class EncoderBlock:
    """Hold one transformer block: the `module`, and its linear `weights` in the order of use."""

    module: nn.Module
    weights: tuple[BlockWeight, ...]


@attrs.frozen(eq=False)
class EncoderLayers:
    """Hold the parts of an encoder that adaptations choose from.

    `blocks`: first to last. `norms`: every normalisation layer that has parameters, within blocks
    and outside, in the order of use. `output`: the parameters behind the last block, those of the
    final norm and of the projection to features.
    """

    blocks: tuple[EncoderBlock, ...]
    norms: tuple[nn.Module, ...]
    output: tuple[nn.Parameter, ...]


def encoder_block(
    module: nn.Module, attention_in: BlockWeight, out: nn.Module, mlp: nn.Module
) -> EncoderBlock:
    """Put a block together; the last linear layer of `mlp` is its output."""
    *inner, last = (part for part in mlp.modules() if isinstance(part, nn.Linear))
    return EncoderBlock(
        module,
        (
            attention_in,
            linear("attention-out", out),
            *(linear("mlp-in", part) for part in inner),
            linear("mlp-out", last),
        ),
    )


def linear(role: Role, module: nn.Module, stacked: int = 1) -> BlockWeight:
    """Name the weight of a linear layer."""
    bias = None if module.bias is None else "bias"
    return BlockWeight(role, module, "weight", bias, stacked)


def with_parameters(*modules: nn.Module | None) -> tuple[nn.Module, ...]:
    """Leave out modules that are missing or have no parameters."""
    return tuple(m for m in modules if m is not None and any(True for _ in m.parameters()))
