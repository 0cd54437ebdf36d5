"""Keywords of Python functions and of the command line: one meaning, one set of errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cfft.config.keywords import Keywords, given, spelled
from cfft.config.layers import Choice, Layer
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.config.settings import Model
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry

REGISTRY = Registry.installed()
KEYWORDS = Keywords(REGISTRY)


def layer(**keywords: Any) -> Layer:
    return KEYWORDS.layer(keywords)


def resolved(**keywords: Any) -> RunConfig:
    return resolve(REGISTRY, KEYWORDS.layers(keywords))


def test_values_of_python_mean_what_text_of_the_command_line_means() -> None:
    python = resolved(
        mask="object", threshold=0.5, lr=1e-4, micro_batch=None, skip_unreadable=True, seed=3,
        loss=["feature-mse", "logit-kl"], pretrained=Path("a.pt"), model="ViT-B-32",
        suite="folder", data=Path("images"), **{"loss.logit-kl.temperature": 2},
    )  # fmt: skip
    text = resolved(
        mask="object", threshold="0.5", lr="1e-4", micro_batch="none", skip_unreadable="true",
        seed="3", loss=["feature-mse", "logit-kl"], pretrained="a.pt", model="ViT-B-32",
        suite="folder", data="images", **{"loss.logit-kl.temperature": "2"},
    )  # fmt: skip

    assert python == text


def test_one_loss_needs_no_list() -> None:
    assert layer(loss="logit-kl").chosen == {"loss": (Choice("logit-kl", "logit-kl"),)}


def test_set_takes_a_mapping_or_assignments() -> None:
    mapping = layer(set={"mask.object.threshold": 0.4, "training.lr": None})
    text = layer(set=["mask.object.threshold=0.4", "training.lr=none"])

    assert mapping.values == {("mask", "object"): {"threshold": 0.4}}
    assert text.values == {("mask", "object"): {"threshold": "0.4"}}
    assert mapping.settings == text.settings == {"training": {"lr": "none"}}


@pytest.mark.parametrize(
    ("keywords", "line"),
    [
        ({"treshold": 0.5}, "unknown option 'treshold'; did you mean 'threshold'? allowed: thresh"),
        ({"backbone": "timm"}, "unknown option 'backbone'"),
        ({"mask": 3}, "--mask: got 3, allowed: a name"),
        ({"mask": ["object", "random"]}, "--mask: got ['object', 'random'], allowed: a name"),
        ({"seed": -1}, "--seed: got -1, allowed: a whole number from 0 to 4294967295"),
        ({"mask.object": 1}, "--set mask.object=1: write KIND.NAME.PARAM=VALUE"),
        ({"set": "mask.object"}, "--set mask.object: write KIND.NAME.PARAM=VALUE"),
    ],
)
def test_a_bad_keyword_is_told_of_in_the_words_of_the_command_line(
    keywords: dict[str, Any], line: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        KEYWORDS.layer(keywords)

    assert str(raised.value).startswith(line)


def test_all_bad_keywords_are_told_of_together() -> None:
    with pytest.raises(ConfigError, match=r"unknown option 'a'.*\nunknown option 'b'"):
        layer(a=1, b=2)


def test_a_function_takes_the_keywords_of_its_kinds_and_tables_alone() -> None:
    keywords = Keywords(REGISTRY, ("mask",), (Model,), files=False)

    assert keywords.layer({"mask": "random", "rate": 0.5, "head": "own"}).short == {"rate": 0.5}
    with pytest.raises(ConfigError, match=r"unknown option 'epochs'.*\nunknown option 'recipe'"):
        keywords.layer({"epochs": 1, "recipe": "paper"})


def test_none_in_a_signature_is_not_given_and_among_parameters_it_is_a_value() -> None:
    values = {"mask": None, "fill": "none", "out": "a", "parameters": {"patience": None}}

    assert given(values, besides=("out",)) == {"fill": "none", "patience": None}


@pytest.mark.parametrize(
    ("keyword", "option"),
    [
        ("batch_size", "--batch-size"),
        ("backbone.open_clip.quick_gelu", "--backbone.open_clip.quick-gelu"),
    ],
)
def test_a_keyword_is_spelt_with_dashes_and_names_keep_their_own(keyword: str, option: str) -> None:
    assert spelled(keyword) == option
