"""A pre-trained model with all that belongs to its weights, and the backbones that build it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs

from cfft.records import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cfft.encoder.encoder import Encoder


@attrs.frozen(eq=False)
class Pretrained:
    """Hold a pre-trained model and everything that must stay together with its weights.

    `encode_text`: list of n prompts -> [n, D] un-normalised, or None without a text tower.
    `text`: the text tower, for objectives that read prompts: a module that turns a list of n
    prompts, however many, into features [n, D], un-normalised and in the graph, on the device of
    its parameters, one of which is `logit_scale`; a deep copy has weights of its own. It may have
    `words`, a tuple of those that are one token each. None without a text tower.
    `templates`: named lists of prompt templates with `{}` for the class name.
    `own_head`: the backbone's own classifier, or None. `normalised`: whether heads act on
    L2-normalised features. `identity`: facts that two weight files must share to be
    exchangeable (architecture, activation, ...), stored with every checkpoint. `rebuild`: a name
    from which the same backbone builds the same encoder and preprocessing without these weights.
    `logit_scale` is the learnt logarithm; heads multiply by its exponential. `trained`: whether
    the values come from training; a run refuses random ones unless it is asked for them.
    `unsaid`: what no tensor shows and neither name, weights nor parameters said, so that a default
    was taken (the activation), by name, with the option that settles it; weights of other programs
    are refused because of it. `nest` and `warnings`: of the weight file that they come from, as in
    WeightFile; the plan shows them. `interpolated_from`: the patch grid (gh, gw) that positional
    embeddings were interpolated from, None where they are as stored. `config`: the whole model in
    the terms of its library's own configuration files, for exporters; empty where it has none.
    """

    encoder: Encoder
    preprocessing: Preprocessing
    normalised: bool
    identity: Mapping[str, str]
    rebuild: str
    encode_text: Callable[[Sequence[str]], Tensor] | None = None
    logit_scale: float | None = None
    templates: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    own_head: nn.Linear | None = None
    text: nn.Module | None = None
    trained: bool = True
    unsaid: Mapping[str, str] = attrs.field(factory=dict)
    nest: str = ""
    warnings: tuple[str, ...] = ()
    interpolated_from: tuple[int, int] | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict)


@runtime_checkable
class Backbone(Protocol):
    """Build pre-trained encoders of one library."""

    def build(self, name: str, weights: str | None) -> Pretrained:
        """Return the model `name` with `weights` (a tag or a path; None: random values).

        Raises ConfigError for an unknown name and WeightsError for weights that do not fit.
        """
