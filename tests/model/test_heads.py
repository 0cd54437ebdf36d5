"""Heads to start from, against independent computations."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import NoReturn

import attrs
import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.transformer import VisionTransformer
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.testing import assert_close

import cfft
from cfft.encoder.encoder import Head
from cfft.model.heads import (
    alike_columns,
    chosen_head,
    linear_probe_head,
    own_head,
    prompts_head,
    starting_head,
    zero_shot_head,
)
from cfft.model.kept_heads import FEWEST_PROMPTS

TEXT = {
    "a dog": [3.0, 4.0],
    "the dog": [0.0, 2.0],
    "a polar bear": [5.0, 0.0],
    "the polar bear": [1.0, 0.0],
}


def _encode(prompts: Sequence[str]) -> Tensor:
    return torch.tensor([TEXT[prompt] for prompt in prompts])


def _never() -> NoReturn:
    raise AssertionError("no features are needed")


@pytest.fixture
def bare() -> cfft.Pretrained:
    tower = VisionTransformer(16, 8, width=8, layers=1, heads=2, mlp_ratio=2, output_dim=2)
    prepared = cfft.Preprocessing((16, 16), 16, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return cfft.Pretrained(
        cfft.Encoder(tower, prepared), prepared, normalised=True, identity={}, rebuild=""
    )


@pytest.fixture
def clip(bare: cfft.Pretrained) -> cfft.Pretrained:
    return attrs.evolve(bare, encode_text=_encode, logit_scale=log(10))


class _Tower(nn.Module):
    """Encode prompts by their length, and count calls."""

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale, self.calls = nn.Parameter(torch.tensor(log(10))), 0

    def forward(self, prompts: Sequence[str]) -> Tensor:
        self.calls += 1
        return torch.tensor([[len(prompt), 7.0 + index] for index, prompt in enumerate(prompts)])


def test_a_kept_zero_shot_head_is_the_computed_one(
    clip: cfft.Pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tower, names = _Tower(), [f"thing {number}" for number in range(FEWEST_PROMPTS // 2)]
    model = attrs.evolve(clip, encode_text=tower, text=tower)
    templates = ["a {}", "the {}"]

    computed, kept = (zero_shot_head(model, names, templates) for _ in range(2))

    direct = prompts_head(tower, log(10), names, templates)
    assert tower.calls == 2, "once by the first head, once directly"
    for head in (computed, kept):
        assert torch.equal(head.weight, direct.weight)
        assert torch.equal(head.bias, direct.bias)
        assert head.normalised


def test_zero_shot_weights_are_normalised_means_of_normalised_prompts_times_the_scale(
    clip: cfft.Pretrained,
) -> None:
    head = zero_shot_head(clip, ["dog", "polar_bear"], ["a {}", "the {}"])

    # dog: mean of (0.6, 0.8) and (0, 1) is (0.3, 0.9), of length sqrt(0.9)
    expected = torch.tensor([[0.3 / 0.9**0.5, 0.9 / 0.9**0.5], [1.0, 0.0]]) * 10
    assert_close(head.weight.detach(), expected)
    assert_close(head.bias.detach(), torch.zeros(2))
    assert head.normalised


@pytest.fixture
def text_tower() -> open_clip.CLIP:
    config = {"width": 16, "heads": 2, "layers": 1, "context_length": 12}
    vision = {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "head_width": 8}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return open_clip.CLIP(2, vision, config).eval()


@pytest.fixture
def words(clip: cfft.Pretrained, text_tower: open_clip.CLIP) -> cfft.Pretrained:
    tokenize = open_clip.SimpleTokenizer(context_length=12)
    return attrs.evolve(
        clip,
        encode_text=lambda prompts: text_tower.encode_text(tokenize(list(prompts))).detach(),
        logit_scale=text_tower.logit_scale.item(),
    )


def test_zero_shot_head_equals_open_clips_own_classifier(
    words: cfft.Pretrained, text_tower: open_clip.CLIP
) -> None:
    names = ["dog", "crane", "crane"]
    theirs = open_clip.build_zero_shot_classifier(
        text_tower,
        open_clip.SimpleTokenizer(context_length=12),
        names,
        [lambda c: f"a {c}.", lambda c: f"the {c}."],
        device="cpu",
    )

    head = zero_shot_head(words, names, ["a {}.", "the {}."])

    assert_close(head.weight.detach(), text_tower.logit_scale.exp().detach() * theirs.T)


def test_zero_shot_needs_a_text_tower(bare: cfft.Pretrained) -> None:
    with pytest.raises(cfft.ConfigError, match=r"needs a text tower.*--head linear-probe"):
        zero_shot_head(bare, ["dog"], ["a {}"])


def test_auto_is_zero_shot_where_there_is_a_text_tower(
    clip: cfft.Pretrained, bare: cfft.Pretrained
) -> None:
    assert chosen_head("auto", clip) == "zero-shot"
    assert chosen_head("auto", bare) == "linear-probe"
    assert chosen_head("own", clip) == "own"


def test_training_features_are_computed_for_a_linear_probe_alone(clip: cfft.Pretrained) -> None:
    head = starting_head("auto", clip, ["dog"], ["a {}"], _never)

    assert_close(head.weight.detach(), torch.tensor([[6.0, 8.0]]))


def test_the_own_head_is_the_classifier_that_came_with_the_weights(bare: cfft.Pretrained) -> None:
    own = nn.Linear(2, 3)

    head = own_head(attrs.evolve(bare, own_head=own), classes=3)

    assert_close(head(torch.ones(1, 2)), own(torch.ones(1, 2)))
    assert not head.normalised


def test_an_own_head_of_another_number_of_classes_is_refused(bare: cfft.Pretrained) -> None:
    with pytest.raises(cfft.ConfigError, match="has 3 classes, the data have 7"):
        own_head(attrs.evolve(bare, own_head=nn.Linear(2, 3)), classes=7)


def test_an_own_head_that_is_not_there_is_refused(bare: cfft.Pretrained) -> None:
    with pytest.raises(cfft.ConfigError, match="come with a classifier"):
        own_head(bare, classes=7)


def _clusters(classes: int) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(4)
    labels = torch.arange(60) % classes
    centres = torch.randn(classes, 5, generator=draws) * 20 + 100
    return centres[labels] + 10 * torch.randn(60, 5, generator=draws), labels


# scikit-learn penalises one weight vector where there are two classes: half of what two cost
@pytest.mark.parametrize(("classes", "factor"), [(2, 2.0), (3, 1.0)])
def test_a_linear_probe_is_the_logistic_regression_that_scikit_learn_finds(
    classes: int, factor: float
) -> None:
    features, labels = _clusters(classes)
    centred = features - features.mean(dim=0)
    inputs = (centred / centred.square().mean().sqrt()).numpy()
    reference = LogisticRegression(C=factor / (0.01 * len(labels)), tol=1e-10, max_iter=1000)
    expected = reference.fit(inputs, labels.numpy()).predict_proba(inputs)

    head = linear_probe_head(features, labels, classes, normalised=False)

    probabilities = head(features).softmax(dim=1).detach()
    assert_close(probabilities, torch.tensor(expected), atol=1e-3, rtol=0)


def test_a_linear_probe_is_the_same_every_time() -> None:
    features, labels = _clusters(3)

    first = linear_probe_head(features, labels, 3, normalised=True)
    second = linear_probe_head(features, labels, 3, normalised=True)

    assert torch.equal(first.weight, second.weight)


def test_a_normalised_probe_does_not_see_the_length_of_features() -> None:
    features, labels = _clusters(3)
    lengths = torch.linspace(0.5, 9, 60)[:, None]

    head = linear_probe_head(features * lengths, labels, 3, normalised=True)

    assert_close(head(features), head(features * lengths))
    assert (head(features).argmax(dim=1) == labels).float().mean() > 0.8


def test_a_class_without_images_is_never_predicted() -> None:
    features, labels = _clusters(3)

    head = linear_probe_head(features, labels, 4, normalised=False)

    assert head.weight.shape == (4, 5)
    assert not (head(features).argmax(dim=1) == 3).any()


def test_a_feature_that_never_varies_does_no_harm() -> None:
    features, labels = torch.ones(4, 2), torch.tensor([0, 1, 0, 1])

    head = linear_probe_head(features, labels, 2, normalised=False)

    assert_close(F.softmax(head(features), dim=1).detach(), torch.full((4, 2), 0.5))


def test_a_probe_without_images_is_refused() -> None:
    with pytest.raises(cfft.ConfigError, match="at least one training image"):
        linear_probe_head(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), 2, False)


@pytest.mark.parametrize("head", ["zero-shot", "auto"])
def test_prompts_are_not_made_of_classes_that_are_all_called_by_numbers(
    bare: cfft.Pretrained, head: str
) -> None:
    clip = attrs.evolve(bare, encode_text=_encode, logit_scale=log(2))

    with pytest.raises(cfft.ConfigError, match=r"only numbers: 0 to 1.*classes.toml.*linear-probe"):
        starting_head(head, clip, ["0", "1"], ["a {}"], _never)


def test_one_class_may_be_called_by_a_number(bare: cfft.Pretrained) -> None:
    clip = attrs.evolve(bare, encode_text=lambda prompts: torch.eye(len(prompts)), logit_scale=0.0)

    assert starting_head("auto", clip, ["7", "dog"], ["a {}"], _never).weight.shape == (2, 2)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["dog", "cat"], []),
        (["Dog", "cat", "dog"], [(0, 2)]),
        (["fire_truck", "a", "fire truck", "a"], [(0, 2), (1, 3)]),
        (["very " * 90 + "old", "very " * 90 + "new", "very " * 3 + "new"], [(0, 1)]),
    ],
)
def test_classes_that_prompts_cannot_tell_apart_have_alike_columns(
    words: cfft.Pretrained, names: list[str], groups: list[tuple[int, ...]]
) -> None:
    assert alike_columns(zero_shot_head(words, names, ["a {}", "the {}"])) == groups


def test_columns_that_differ_in_the_bias_alone_are_not_alike() -> None:
    weight = torch.tensor([[1.0, 2.0], [1.0, 2.0], [2.0, 4.0]])

    assert alike_columns(Head(weight, torch.zeros(3), normalised=False)) == [(0, 1)]
    assert alike_columns(Head(weight, torch.arange(3.0), normalised=False)) == []
