"""open_clip's text tower as a module that can be trained."""

from __future__ import annotations

import gc
import json
import weakref
from copy import deepcopy
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.testing import assert_close

import cfft
from cfft_backbones.open_clip.backbone import OpenClipBackbone

PROMPTS = ["a dog", "two cats", "a dog"]


@pytest.fixture
def weights(clip: open_clip.CLIP, tmp_path: Path) -> Path:
    save_file(clip.state_dict(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


@pytest.fixture
def built(config: str, weights: Path) -> cfft.Pretrained:
    return OpenClipBackbone().build(config, str(weights))


@pytest.fixture
def tower(built: cfft.Pretrained) -> torch.nn.Module:
    assert built.text is not None
    return built.text


def tokens(prompts: list[str]) -> Tensor:
    return open_clip.SimpleTokenizer(context_length=16)(prompts)


def test_it_gives_open_clips_features_in_the_graph(tower, clip: open_clip.CLIP) -> None:
    found, expected = tower(PROMPTS), clip.encode_text(tokens(PROMPTS))
    found.square().sum().backward()
    expected.square().sum().backward()

    assert_close(found, expected)
    assert_close(tower.text.ln_final.weight.grad, clip.ln_final.weight.grad)
    assert_close(tower.text.token_embedding.weight.grad, clip.token_embedding.weight.grad)


def test_its_state_has_open_clips_names_and_nothing_of_the_image_tower(
    tower, clip: open_clip.CLIP
) -> None:
    state = {name.removeprefix("text."): value for name, value in tower.state_dict().items()}

    assert_close(state, {k: v for k, v in clip.state_dict().items() if not k.startswith("visual.")})


def test_the_module_and_the_encoder_of_heads_agree(built: cfft.Pretrained, tower) -> None:
    assert built.encode_text is not None

    features = built.encode_text(PROMPTS)

    assert_close(features, tower(PROMPTS).detach())
    assert (features.dtype, features.device.type) == (torch.float32, "cpu")
    assert not features.requires_grad
    assert built.logit_scale == tower.logit_scale.item()


def test_a_model_with_a_text_module_gives_the_same(config: str, weights: Path, tower) -> None:
    custom = json.loads(Path(config).read_text()) | {"custom_text": True}
    Path(config).write_text(json.dumps({"model_cfg": custom}))

    other = OpenClipBackbone().build(config, str(weights)).text

    assert other is not None
    assert_close(other(PROMPTS), tower(PROMPTS))
    assert other.state_dict().keys() == tower.state_dict().keys()


def test_a_bias_on_similarities_is_left_out(
    config: str, tmp_path: Path, make_clip, clip: open_clip.CLIP
) -> None:
    biased = make_clip(init_logit_bias=-10.0)
    facts = json.loads(Path(config).read_text()) | {"init_logit_bias": -10.0}
    Path(config).write_text(json.dumps({"model_cfg": facts}))
    save_file(biased.state_dict(), tmp_path / "biased.safetensors")

    tower = OpenClipBackbone().build(config, str(tmp_path / "biased.safetensors")).text

    assert tower is not None
    assert "logit_bias" not in {name.rpartition(".")[2] for name in tower.state_dict()}
    assert_close(tower(PROMPTS), biased.encode_text(tokens(PROMPTS)))


def test_a_copy_is_trained_apart_and_shares_the_tokenizer(tower) -> None:
    copy = deepcopy(tower)
    with torch.no_grad():
        copy.logit_scale.add_(1)
        copy.text.ln_final.weight.mul_(2)

    assert copy.tokens is tower.tokens
    assert not torch.equal(copy(PROMPTS), tower(PROMPTS))
    assert_close(copy.logit_scale, tower.logit_scale + 1)


def test_a_file_of_the_vision_tower_alone_gives_no_module(
    config: str, clip: open_clip.CLIP, tmp_path: Path
) -> None:
    save_file(clip.visual.state_dict(), tmp_path / "vision.safetensors")

    assert OpenClipBackbone().build(config, str(tmp_path / "vision.safetensors")).text is None


def test_each_prompt_is_tokenised_once(tower, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    encode = open_clip.SimpleTokenizer.encode
    monkeypatch.setattr(
        open_clip.SimpleTokenizer, "encode", lambda self, t: read.append(t) or encode(self, t)
    )

    tower(["a dog", "a cat"])
    deepcopy(tower)(["a cat", "a dog", "a fish"])

    assert read == ["a dog", "a cat", "a fish"]


def test_long_lists_are_encoded_in_parts(tower) -> None:
    many = [f"dog number {n}" for n in range(300)]

    found = tower(many).detach()

    assert found.shape == (300, 12)
    assert_close(found[299], tower(many[299:])[0].detach())


def test_its_words_are_one_token_each(tower) -> None:
    words = tower.words

    assert {"dog", "photo", "a"} < set(words)
    rows = tokens(list(words[::1000]))
    ends = open_clip.SimpleTokenizer().eot_token_id
    assert rows[:, 2].tolist() == [ends] * len(rows)


def test_the_tower_goes_with_the_model(config: str, weights: Path) -> None:
    built = OpenClipBackbone().build(config, str(weights))
    encoder, tower = built.encoder, weakref.ref(built.text)

    del built
    gc.collect()

    assert encoder.dim == 12
    assert tower() is None
