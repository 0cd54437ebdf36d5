"""Mistakes with open_clip models give one line, before anything is trained."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file

import cfft
from cfft.model.checkpoint import Checkpoint, save
from cfft_backbones import OpenClipBackbone


def _build(name: str, weights: Path | str | None = None, **values: Any) -> cfft.Pretrained:
    return OpenClipBackbone(**values).build(name, None if weights is None else str(weights))


def test_an_unknown_model_is_named_with_the_nearest_spelling() -> None:
    with pytest.raises(cfft.ConfigError, match="unknown model 'ViT-B-23'; did you mean 'ViT-B-32'"):
        _build("ViT-B-23")


def test_an_unknown_model_is_answered_with_models_that_cfft_can_use() -> None:
    with pytest.raises(cfft.ConfigError, match=r"give a local config FILE.json, or one of") as got:
        _build("ViT-B-16-SigLip")

    assert "ViT-B-16," in str(got.value)
    assert "-SigLIP" not in str(got.value)


def test_an_unknown_tag_is_named_with_the_tags_of_that_model() -> None:
    with pytest.raises(cfft.ConfigError, match=r"'opnai'; did you mean 'openai'.*and 17 more; or"):
        _build("ViT-B-32", "opnai")


@pytest.mark.parametrize(
    ("model", "tower"),
    [("RN50", "a ResNet"), ("ViT-B-16-SigLIP", "vit_base_patch16"), ("coca_ViT-B-32", "CoCa")],
)
def test_towers_without_a_class_token_are_refused_with_models_that_work(
    model: str, tower: str
) -> None:
    with pytest.raises(cfft.WeightsError, match=f"'{model}'.*{tower}.*ViT-B-32, ViT-B-16"):
        _build(model)


def test_an_averaging_tower_is_refused_by_the_name_of_its_model(config: str) -> None:
    facts = json.loads(Path(config).read_text())
    facts["vision_cfg"]["pool_type"] = "avg"
    Path(config).write_text(json.dumps(facts))

    with pytest.raises(cfft.WeightsError, match=re.escape(f"model '{config}'")):
        _build(config)


def test_a_missing_weight_file_is_named(config: str, tmp_path: Path) -> None:
    with pytest.raises(cfft.WeightsError, match=r"gone.pt: no such weight file"):
        _build(config, tmp_path / "gone.pt")


def test_weights_of_another_width_are_reported_with_both_shapes(
    make_clip: Any, config: str, tmp_path: Path
) -> None:
    wide = {"image_size": [16, 24], "patch_size": 8, "width": 48, "layers": 2, "head_width": 16}
    save_file(make_clip(vision_cfg=wide).state_dict(), tmp_path / "wide.safetensors")

    with pytest.raises(
        cfft.WeightsError, match=r"wide.safetensors: weights of another model.*\[48\].*\[32\]"
    ):
        _build(config, tmp_path / "wide.safetensors")


def test_missing_and_unexpected_tensors_are_named(
    clip: open_clip.CLIP, config: str, tmp_path: Path
) -> None:
    tensors = clip.state_dict()
    tensors["visual.extra"] = tensors.pop("visual.ln_post.bias")
    save_file(tensors, tmp_path / "odd.safetensors")

    with pytest.raises(
        cfft.WeightsError,
        match=r"1 missing \(visual.ln_post.bias\); 1 unexpected \(visual.extra\)",
    ):
        _build(config, tmp_path / "odd.safetensors")


@pytest.mark.parametrize("prefix", ["", "visual."])
def test_weights_of_timm_are_told_by_their_names(prefix: str, config: str, tmp_path: Path) -> None:
    tensors = {f"{prefix}blocks.0.attn.qkv.weight": torch.zeros(1)}
    save_file(tensors, tmp_path / "timm.safetensors")

    with pytest.raises(cfft.WeightsError, match="looks like a timm model: use --model timm:NAME"):
        _build(config, tmp_path / "timm.safetensors")


@pytest.mark.parametrize("size", [4, 20, 2000])
def test_a_safetensors_file_that_was_cut_off_is_told_from_a_broken_one(
    size: int, clip: open_clip.CLIP, config: str, tmp_path: Path
) -> None:
    save_file(clip.state_dict(), tmp_path / "clip.safetensors")
    whole = (tmp_path / "clip.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:size])

    with pytest.raises(cfft.WeightsError, match=r"cut.safetensors: incomplete download or copy"):
        _build(config, tmp_path / "cut.safetensors")


def test_openai_files_want_quick_gelu_to_be_said(
    clip: open_clip.CLIP, config: str, tmp_path: Path
) -> None:
    extras = {"input_resolution": torch.tensor(16)}
    torch.save({**clip.state_dict(), **extras}, tmp_path / "openai.pt")

    with pytest.raises(
        cfft.WeightsError, match=r"use --backbone.open_clip.quick_gelu true"
    ) as raised:
        _build(config, tmp_path / "openai.pt")

    assert "the model" not in str(raised.value)  # there is no tiny-quickgelu


def test_a_huggingface_config_beside_the_file_contradicts_the_wrong_activation(
    clip: open_clip.CLIP, config: str, huggingface_names: Any, tmp_path: Path
) -> None:
    save_file(huggingface_names(clip.state_dict()), tmp_path / "model.safetensors")
    facts = {"vision_config": {"hidden_act": "quick_gelu"}}
    (tmp_path / "config.json").write_text(json.dumps(facts))

    with pytest.raises(cfft.WeightsError, match="need the activation QuickGELU, but GELU is set"):
        _build(config, tmp_path / "model.safetensors")


def test_a_tag_cannot_be_given_another_activation() -> None:
    with pytest.raises(
        cfft.WeightsError,
        match=r"'openai' of ViT-B-32 need .* use the model 'ViT-B-32-quickgelu' or",
    ):
        _build("ViT-B-32", "openai", quick_gelu=False)


def test_a_model_without_a_twin_is_answered_with_the_option_alone() -> None:
    with pytest.raises(cfft.WeightsError, match=r"is set; use --backbone.open_clip.quick_gelu fal"):
        _build("nllb-clip-base", "v1", quick_gelu=True)


def test_a_torchscript_archive_is_refused_with_the_way_out(config: str, tmp_path: Path) -> None:
    path = tmp_path / "ViT-B-32.pt"
    with zipfile.ZipFile(path, "w") as archive:  # laid out as torch.jit.save does
        archive.writestr("archive/constants.pkl", pickle.dumps(()))
        archive.writestr("archive/data.pkl", pickle.dumps({}))

    with pytest.raises(cfft.WeightsError, match=r"TorchScript archive.*--pretrained openai"):
        _build(config, path)


def test_a_pickle_that_would_run_code_is_refused_with_the_way_out(
    config: str, tmp_path: Path
) -> None:
    torch.save({"model": Path("anything")}, tmp_path / "unsafe.pt")

    with pytest.raises(cfft.WeightsError, match=r"holds pathlib.*could run code.*save_file"):
        _build(config, tmp_path / "unsafe.pt")


@pytest.mark.parametrize("name", ["broken.safetensors", "broken.pt"])
def test_a_broken_file_is_named(name: str, config: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"no weights at all")

    with pytest.raises(cfft.WeightsError, match=f"{name}: not a readable"):
        _build(config, tmp_path / name)


def test_a_file_that_says_nothing_is_reported_in_words(config: str, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"hi\n")

    with pytest.raises(cfft.WeightsError, match=r"\(empty, damaged, or of another program\)"):
        _build(config, tmp_path / "weights.pt")


@pytest.mark.parametrize("copied_to", ["run/best/weights.safetensors", "alone.safetensors"])
def test_weights_of_a_run_with_another_activation_are_refused(
    copied_to: str, config: str, tmp_path: Path
) -> None:
    trained = _build(config, quick_gelu=True)
    head = cfft.Head(torch.ones(3, 12), torch.zeros(3), normalised=True)
    weights = cfft.Classifier(trained.encoder, head).weights()
    save(tmp_path / "run" / "best", Checkpoint(weights, {"identity": dict(trained.identity)}))
    written = tmp_path / "run" / "best" / "weights.safetensors"
    (tmp_path / copied_to).write_bytes(written.read_bytes())

    with pytest.raises(cfft.WeightsError, match="activation is QuickGELU, not GELU"):
        _build(config, tmp_path / copied_to)


def test_facts_in_a_file_that_are_no_object_are_named(
    clip: open_clip.CLIP, config: str, tmp_path: Path
) -> None:
    save_file(clip.state_dict(), tmp_path / "odd.safetensors", {"cfft.identity": "[1]"})

    with pytest.raises(cfft.WeightsError, match=r"odd.safetensors: .*cfft.identity is no JSON obj"):
        _build(config, tmp_path / "odd.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("name", "write"), [("broken.safetensors", save_file), ("broken.pt", torch.save)]
)
def test_values_that_are_not_finite_are_found_before_anything_is_trained(
    value: float, name: str, write: Any, clip: open_clip.CLIP, config: str, tmp_path: Path
) -> None:
    tensors = clip.state_dict()
    tensors["visual.ln_post.bias"][3] = value
    write(tensors, tmp_path / name)

    with pytest.raises(cfft.WeightsError, match=rf"{name}: 1 .*first is 'visual.ln_post.bias'"):
        _build(config, tmp_path / name)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "not valid JSON"), ("[]", "lacks embed_dim"), ('{"embed_dim": 3}', "lacks embed_dim")],
)
def test_a_model_config_that_is_none_is_named(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(text)

    with pytest.raises(cfft.ConfigError, match=f"model.json.*{words}"):
        _build(str(tmp_path / "model.json"))


def test_a_config_that_open_clip_refuses_is_named(config: str) -> None:
    facts = json.loads(Path(config).read_text())
    facts["vision_cfg"]["depth"] = 3
    Path(config).write_text(json.dumps(facts))

    with pytest.raises(cfft.ConfigError, match=r"is not one that open_clip takes.*depth"):
        _build(config)


def test_models_that_squash_images_are_refused(config: str) -> None:
    facts = {
        "model_cfg": json.loads(Path(config).read_text()),
        "preprocess_cfg": {"resize_mode": "squash"},
    }
    Path(config).write_text(json.dumps(facts))

    with pytest.raises(cfft.ConfigError, match="resize_mode 'squash'"):
        _build(config)


def test_a_deviation_of_zero_is_refused(config: str) -> None:
    with pytest.raises(cfft.ConfigError, match=r"std of .* allowed: above 0"):
        _build(config, std=(0.2, 0.0, 0.2))


def test_a_checkpoint_without_a_state_dict_is_named(config: str, tmp_path: Path) -> None:
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "optimizer.pt")

    with pytest.raises(cfft.WeightsError, match="holds no state dict: epoch, lr are not named"):
        _build(config, tmp_path / "optimizer.pt")


def test_a_text_tower_of_other_tokens_is_named_when_prompts_are_encoded(config: str) -> None:
    facts = json.loads(Path(config).read_text())
    facts["text_cfg"]["vocab_size"] = 100
    Path(config).write_text(json.dumps(facts))
    built = _build(config)
    assert built.encode_text is not None

    with pytest.raises(cfft.ConfigError, match=r"knows 100 tokens.*--head linear-probe"):
        built.encode_text(["a dog"])
