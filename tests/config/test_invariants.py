"""Rules of every configuration: the way to TOML and back, precedence, text and TOML alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from cfft.config.layers import COMMAND_LINE, Layer, parse_layer, read_defaults
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.plugin.params import Param
from cfft.plugin.registry import Registry
from cfft.runtime.documents import parse_toml

REGISTRY = Registry.installed()
DECLARED = [
    (provided.declaration.path, param)
    for provided in REGISTRY.provided
    for param in provided.declaration.params
    if not param.required
]
BASE = """
[model]
name = "ViT-B-32"
pretrained = "random"
[suite]
use = "folder"
data = "/images"
"""
few = settings(max_examples=10)  # of whole configurations
numbers = st.floats(1e-9, 1e9)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Draw a command line that chooses strategies and values that go together."""
    layer = Layer(COMMAND_LINE)
    layer.choose("mask", [mask := draw(st.sampled_from(["object", "context", "random"]))])
    layer.choose("fill", [draw(st.sampled_from(["none", "single", "multi", "mean"]))])
    layer.choose("loss", ["feature-mse"])
    layer.seed = draw(st.integers(0, 2**32 - 1))
    layer.assign("training.epochs", draw(st.integers(1, 1000)))
    layer.assign("training.lr", draw(st.floats(1e-9, 1)))
    layer.assign("loss.feature-mse.weight", draw(numbers))
    layer.assign("suite.folder.data", Path("/", draw(words).replace("/", "-")))
    layer.assign(
        f"mask.{mask}.{'rate' if mask == 'random' else 'threshold'}", draw(st.floats(0, 1))
    )
    return layer


def resolved(*above: Layer) -> RunConfig:
    return resolve(REGISTRY, [read_defaults(), parse_layer(BASE, "base"), *above])


@few
@given(layers())
def test_a_configuration_that_is_written_and_read_is_the_same(layer: Layer) -> None:
    config = resolved(layer)

    again = resolve(REGISTRY, [read_defaults(), parse_layer(config.to_toml(), "config.toml")])

    assert again.to_dict() == config.to_dict()
    assert again.to_toml() == config.to_toml()


@few
@given(st.lists(st.none() | st.integers(1, 99), min_size=3, max_size=3))
def test_of_several_layers_the_last_that_says_something_is_heard(said: list[int | None]) -> None:
    texts = ["" if epochs is None else f"[training]\nepochs = {epochs}" for epochs in said]

    config = resolved(*(parse_layer(text, f"layer {n}") for n, text in enumerate(texts)))

    usual = resolved().training.epochs
    assert config.training.epochs == next((e for e in reversed(said) if e is not None), usual)


@few
@given(st.integers(1, 99), numbers)
def test_a_file_and_a_command_line_mean_the_same(epochs: int, weight: float) -> None:
    file = f"[training]\nepochs = {epochs}\n[[loss]]\nuse = 'feature-mse'\nweight = {weight!r}"
    line = Layer(COMMAND_LINE)
    line.choose("loss", ["feature-mse"])
    line.set(f"training.epochs={epochs}")
    line.set(f"loss.feature-mse.weight={weight!r}")

    assert resolved(line).to_dict() == resolved(parse_layer(file, "file")).to_dict()


@pytest.mark.parametrize(("path", "param"), DECLARED, ids=lambda part: getattr(part, "name", part))
def test_every_default_is_what_its_spelling_means(path: str, param: Param) -> None:
    assert param.parse(param.spell(param.default)) == param.default


def values(kind: Any) -> st.SearchStrategy[Any]:
    return {
        int: st.integers(-(2**53), 2**53),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        Literal["a", "b-c"]: st.sampled_from(["a", "b-c"]),
        int | None: st.none() | st.integers(0, 99),
        float | None: st.none() | numbers,
        tuple[int, ...]: st.lists(st.integers(0, 99), min_size=2).map(tuple),
        tuple[float, ...]: st.lists(numbers, min_size=2).map(tuple),
    }[kind]


def typed(value: Any) -> str:
    """Return a value as one types it, with all its digits."""
    if isinstance(value, tuple):
        return "/".join(map(typed, value))
    return str(value).lower() if value in (None, True, False) else str(value)


KINDS = (int, float, bool, Literal["a", "b-c"], int | None, float | None)


@pytest.mark.parametrize("kind", [*KINDS, tuple[int, ...], tuple[float, ...]], ids=str)
@given(data=st.data())
def test_a_value_is_the_same_as_text_and_as_it_is(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    param = Param("x", kind, value, "")

    assert param.parse(value) == value
    assert param.parse(typed(value)) == value


@pytest.mark.parametrize("kind", [int, float, bool, tuple[int, ...], tuple[float, ...]], ids=str)
@given(data=st.data())
def test_a_value_is_the_same_in_toml(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    written = list(value) if isinstance(value, tuple) else value

    read = parse_toml(tomlkit.dumps({"x": written}))["x"]

    assert Param("x", kind, value, "").parse(read) == value


@given(st.integers(-9, 9), st.integers(-9, 9))
def test_a_range_takes_what_lies_in_it(low: int, value: int) -> None:
    low, high = sorted((low, value))

    assert Param("x", int, low, "", ge=low, le=high).parse(str(value)) == value


@given(st.integers(-9, 9), st.integers(1, 9))
def test_a_range_refuses_what_lies_beside_it(low: int, width: int) -> None:
    param = Param("x", int, low, "", ge=low, le=low + width)

    allowed = f"allowed: a whole number from {low} to {low + width}"
    for beside in (low - 1, low + width + 1):
        with pytest.raises(ValueError, match=allowed):
            param.parse(str(beside))
