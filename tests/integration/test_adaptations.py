"""Runs with adapters: what is trained, what is stored, and that it is a plain model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils.parametrize import register_parametrization

from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError, PluginError
from cfft.model import checkpoint
from cfft.model.interfaces import Adaptation
from cfft.plugin.decorators import adaptation
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import as_json
from cfft.training.run import run

Configure = Callable[..., RunConfig]
VALUES: dict[str, dict[str, Any]] = {
    "lora": {"targets": "attention", "rank": 2},
    "r-adapter": {"drop": 0.5},
    "norms": {},
    "last-blocks": {},
}
ADAPTED = {
    "lora": ("attn.",),
    "r-adapter": ("attn.out_proj.", "mlp.c_proj."),
    "norms": ("ln_",),
    "last-blocks": ("resblocks.1.", "ln_post", "proj"),
}


@pytest.fixture
def train(
    configure: Configure, layer: Layer, registry: Registry, tmp_path: Path
) -> Callable[..., Any]:
    """Return `train(name, **training)`: run with an adaptation, in the folder of its name."""

    def trained(name: str, **training: Any) -> Any:
        layer.choose("adaptation", [name])
        layer.values["adaptation", name] = VALUES.get(name, {})
        layer.choose("mask", ["random"])
        return run(configure(**training), registry, tmp_path / name)

    return trained


def stored(directory: Path, kind: str = "best") -> dict[str, Tensor]:
    return dict(checkpoint.load_model(directory / "checkpoints" / kind).weights)


def logits(predictions: Path) -> Any:
    with np.load(predictions / "sunny.npz") as found:
        return found["logits"]


def start_of(config: RunConfig) -> dict[str, Tensor]:
    from cfft.training.starting_model import pretrained_model

    tower = pretrained_model(config).encoder.tower
    return {f"visual.{name}": value for name, value in tower.state_dict().items()}


@pytest.mark.parametrize("name", VALUES)
def test_only_what_the_adaptation_trains_changes_bit_by_bit(
    train: Callable[..., Any], configure: Configure, tmp_path: Path, name: str
) -> None:
    train(name, weight_decay=0.1)

    weights, start = stored(tmp_path / name), start_of(configure())
    changed = {key for key, value in start.items() if not torch.equal(weights[key], value)}
    assert set(weights) == {*start, "head.weight", "head.bias"}
    assert changed
    assert [key for key in changed if not any(part in key for part in ADAPTED[name])] == []


def test_the_optimiser_knows_adapters_and_head_alone(
    train: Callable[..., Any], tmp_path: Path
) -> None:
    train("lora")

    last = checkpoint.load(tmp_path / "lora" / "checkpoints" / "last")
    moments = {k: tuple(t.shape) for k, t in (last.optimizer or {}).items() if "exp_avg_sq" in k}
    pairs = [(3, 2, 16), (3, 16, 2), (1, 2, 16), (1, 16, 2)] * 2  # two blocks
    assert sorted(moments.values()) == sorted([*pairs, (3, 8), (3,)])


@pytest.mark.parametrize("name", ["lora", "r-adapter"])
def test_a_run_with_adapters_starts_from_the_model_of_a_run_without(
    train: Callable[..., Any], name: str
) -> None:
    adapted, plain = train(name, epochs=1), train("all", epochs=1)

    assert adapted.before == plain.before


@pytest.mark.parametrize(
    ("name", "training"),
    [("lora", {}), ("r-adapter", {}), ("r-adapter", {"micro_batch": 4}), ("lora", {"epochs": 0})],
)
def test_a_stored_model_is_a_plain_one_with_the_accuracies_of_its_run(
    train: Callable[..., Any],
    evaluate: Callable[..., dict[str, Any]],
    tmp_path: Path,
    name: str,
    training: dict[str, int],
) -> None:
    results = train(name, **training)

    evaluated = evaluate(tmp_path / name)

    (model,) = evaluated["models"]
    expected = {name: found["top1"] for name, found in as_json(results)["sets"].items()}
    assert {set_name: found["top1"] for set_name, found in model["sets"].items()} == expected
    again = logits(tmp_path / "EVAL" / "predictions" / name)
    own = logits(tmp_path / name / "predictions")
    np.testing.assert_allclose(again, own, atol=1e-4)


def with_adaptation(config: RunConfig, strategy: Adaptation) -> RunConfig:
    return attrs.evolve(config, adaptation=attrs.evolve(config.adaptation, strategy=strategy))


@adaptation("nothing")
class Nothing(Adaptation):
    """Choose what it was given."""

    def attach(self, model, rng):  # type: ignore[no-untyped-def]
        return []


@adaptation("strange")
class Strange(Adaptation):
    """Choose a parameter of its own."""

    def attach(self, model, rng):  # type: ignore[no-untyped-def]
        return [torch.nn.Parameter(torch.ones(1))]


@pytest.mark.parametrize(
    ("strategy", "error", "says"),
    [
        (Nothing(), ConfigError, r"'nothing' leaves nothing to train.*another --adaptation"),
        (Strange(), PluginError, r"'strange' returned parameters that are not the model's"),
    ],
)
def test_an_adaptation_that_trains_nothing_of_the_model_is_refused(
    configure: Configure,
    registry: Registry,
    tmp_path: Path,
    strategy: Adaptation,
    error: type[Exception],
    says: str,
) -> None:
    config = with_adaptation(configure(), strategy)

    with pytest.raises(error, match=says):
        run(config, registry, tmp_path / "out")


class Counted(torch.nn.Module):
    """Shift a weight by a trained number, and count how often that is computed with gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(1))
        self.calls: list[int] = []

    def forward(self, weight: Tensor) -> Tensor:
        if self.calls and torch.is_grad_enabled():
            self.calls[-1] += 1
        return weight + self.shift


@adaptation("counting")
class Counting(Adaptation):
    """Put a counting adapter on one weight of the encoder."""

    def attach(self, model, rng):  # type: ignore[no-untyped-def]
        weight = model.encoder.layers().blocks[0].weights[1]
        register_parametrization(weight.module, weight.weight, Counted())
        return [adapter_of(model).shift]

    def begin_step(self, model, rng):  # type: ignore[no-untyped-def]
        adapter_of(model).calls.append(0)
        CALLS[:] = adapter_of(model).calls


CALLS: list[int] = []


def adapter_of(model: torch.nn.Module) -> Counted:
    (found,) = (each for each in model.modules() if isinstance(each, Counted))
    return found


def test_an_adapted_weight_is_computed_once_for_each_graph_of_a_step(
    configure: Configure, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.choose("mask", ["random"])
    config = configure(micro_batch=4)

    run(with_adaptation(config, Counting()), registry, tmp_path / "out")

    # the clean pass and the counterfactual one, for epochs, steps, micro-batches; not the last
    assert CALLS[:-1] == [2] * (2 * 3 * 2 - 1)
