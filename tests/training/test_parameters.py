"""Frozen parameters by name, and groups of an optimiser by depth and by kind."""

from __future__ import annotations

import pytest
from torch import nn

from cfft.config.settings import Training
from cfft.encoder.encoder import Classifier
from cfft.errors import ConfigError
from cfft.testing.models import tiny_classifier
from cfft.training.parameters import frozen_names, groups, layer_scales, named_parameters

NAMES = [
    "visual.blocks.1.attn.weight",
    "visual.blocks.1.attn.bias",
    "visual.blocks.10.attn.weight",
    "visual.pos_embed",
    "head.weight",
]


@pytest.fixture(scope="module")
def student() -> Classifier:
    return tiny_classifier()


def grouped(student: Classifier, **training: object) -> list[tuple[set[str], float, float]]:
    called = {id(p): name for name, own in named_parameters(student, None).items() for p in own}
    made = groups(list(student.parameters()), student, Training(lr=1.0, **training))
    return [
        ({called[id(p)] for p in group["params"]}, group["lr"], group["weight_decay"])
        for group in made
    ]


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("blocks.1.*", NAMES[:2]),
        ("blocks.1", NAMES[:2]),
        ("visual.blocks.1.attn.bias", NAMES[1:2]),
        ("*.bias", NAMES[1:2]),
        ("head", NAMES[4:]),
        ("blocks.[0-9].attn.weight", NAMES[:1]),
    ],
)
def test_a_pattern_means_parameters_and_whole_modules(pattern: str, meant: list[str]) -> None:
    assert frozen_names([pattern], NAMES) == {pattern: meant}


def test_several_patterns_may_stand_in_one_text() -> None:
    assert list(frozen_names(["head, pos_embed"], NAMES)) == ["head", "pos_embed"]
    assert frozen_names(None, NAMES) == {}


def test_every_pattern_that_means_nothing_is_told_with_names_like_it() -> None:
    with pytest.raises(ConfigError) as caught:
        frozen_names(["block.1.*", "heads.weight", "head"], NAMES)

    first, second = caught.value.problems
    assert first.startswith("--freeze 'block.1.*' (training.freeze) matches no parameter: ")
    assert "did you mean 'blocks.1'?" in first
    assert "did you mean 'head.weight'?" in second


def test_an_adapter_has_the_name_of_the_weight_that_it_changes(student: Classifier) -> None:
    model = tiny_classifier()
    nn.utils.parametrizations.weight_norm(model.head)

    assert named_parameters(model, None).keys() == named_parameters(student, None).keys()
    assert len(named_parameters(model, None)["head.weight"]) == 2


def test_one_rate_for_all_is_one_group(student: Classifier) -> None:
    ((names, lr, decay),) = grouped(student)

    assert (names, lr, decay) == ({*named_parameters(student, None)}, 1.0, 0.1)


def test_the_rate_falls_from_the_head_to_the_embeddings(student: Classifier) -> None:
    found = {lr: names for names, lr, _ in grouped(student, layer_decay=0.5)}

    blocks = len(student.encoder.layers().blocks)
    assert sorted(found) == [0.5 ** (blocks + 1 - place) for place in range(blocks + 2)]
    assert {"head.weight", "head.bias", "visual.proj", "visual.ln_post.weight"} <= found[1.0]
    assert found[0.5] == {n for n in found[0.5] if f".resblocks.{blocks - 1}." in n} != set()
    assert {"visual.conv1.weight", "visual.positional_embedding"} <= found[0.5 ** (blocks + 1)]


def test_scales_are_those_of_beit() -> None:
    assert layer_scales(2, 0.5) == (0.125, 0.25, 0.5)


def test_norms_biases_and_embeddings_need_not_decay(student: Classifier) -> None:
    decaying, others = sorted(grouped(student, decay_on="weights"), key=lambda found: -found[2])

    assert (decaying[2], others[2]) == (0.1, 0.0)
    assert {"visual.proj", "visual.conv1.weight", "head.weight"} <= decaying[0]
    assert {"visual.class_embedding", "visual.positional_embedding", "head.bias"} <= others[0]
    assert not {name for name in decaying[0] if name.endswith("bias") or ".ln_" in name}
