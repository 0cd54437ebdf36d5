"""open_clip models: whatever a file looks like, the encoder is the model that was saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.testing import assert_close

import cfft
from cfft_backbones import OpenClipBackbone
from cfft_backbones.open_clip.configs import find_architecture
from cfft_backbones.open_clip.sources import locate, settle_activation

BuiltAlike = Callable[[Path], cfft.Pretrained]
Weights = dict[str, Tensor]


def _build(config: str, weights: Path | None, **values: Any) -> cfft.Pretrained:
    return OpenClipBackbone(**values).build(config, None if weights is None else str(weights))


@pytest.fixture
def weights(clip: open_clip.CLIP, tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_file(clip.state_dict(), path)
    return path


@pytest.fixture
def built_alike(clip: open_clip.CLIP, config: str, images: Tensor, features_of: Any) -> BuiltAlike:
    """Return what builds a model of a file, whose features have to be those of `clip`."""

    def build(path: Path) -> cfft.Pretrained:
        built = _build(config, path)
        assert_close(built.encoder(images).detach(), features_of(clip, images))
        return built

    return build


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_pickle_in_open_clip_names_gives_the_model_that_was_saved(
    wrapped: bool, clip: open_clip.CLIP, built_alike: BuiltAlike, tmp_path: Path
) -> None:
    prefixed = {f"module.{key}": value for key, value in clip.state_dict().items()}
    path = tmp_path / "epoch_3.pt"
    torch.save({"epoch": 3, "state_dict": prefixed} if wrapped else clip.state_dict(), path)

    built_alike(path)


def test_huggingface_names_give_the_same_features_and_text_features(
    clip: open_clip.CLIP,
    built_alike: BuiltAlike,
    huggingface_names: Callable[[Weights], Weights],
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.safetensors"
    save_file(huggingface_names(clip.state_dict()), path)

    built = built_alike(path)

    assert built.encode_text is not None
    tokens = open_clip.SimpleTokenizer(context_length=16)(["a dog", "two cats"])
    assert_close(built.encode_text(["a dog", "two cats"]), clip.encode_text(tokens).detach())


def test_a_config_of_something_else_beside_a_huggingface_file_is_left_alone(
    clip: open_clip.CLIP, config: str, huggingface_names: Any, tmp_path: Path
) -> None:
    save_file(huggingface_names(clip.state_dict()), tmp_path / "model.safetensors")
    Path(config).rename(tmp_path / "config.json")

    built = _build(str(tmp_path / "config.json"), tmp_path / "model.safetensors")

    assert built.identity["activation"] == "GELU"


def test_openai_names_with_half_precision_values_load_in_float32(
    make_clip: Any, config: str, images: Tensor, features_of: Any, tmp_path: Path
) -> None:
    clip = make_clip(quick_gelu=True).half().float()
    extras = {"input_resolution": torch.tensor(16), "context_length": torch.tensor(16)}
    halves = {key: value.half() for key, value in clip.state_dict().items()}
    torch.save({**halves, **extras, "vocab_size": torch.tensor(49408)}, tmp_path / "openai.pt")

    built = _build(config, tmp_path / "openai.pt", quick_gelu=True)

    assert_close(built.encoder(images), features_of(clip, images))
    assert built.identity["activation"] == "QuickGELU"


@pytest.mark.parametrize(("quick_gelu", "name"), [(True, "QuickGELU"), (False, "GELU")])
def test_the_asked_activation_is_the_one_that_runs(
    quick_gelu: bool,
    name: str,
    make_clip: Any,
    config: str,
    weights: Path,
    images: Tensor,
    features_of: Any,
) -> None:
    built = _build(config, weights, quick_gelu=quick_gelu)

    assert_close(built.encoder(images), features_of(make_clip(quick_gelu=quick_gelu), images))
    assert built.identity["activation"] == name


def test_models_with_a_text_module_read_files_without_one(
    clip: open_clip.CLIP, config: str, weights: Path
) -> None:
    custom = json.loads(Path(config).read_text()) | {"custom_text": True}
    Path(config).write_text(json.dumps({"model_cfg": custom}))

    built = _build(config, weights)

    assert built.encode_text is not None
    tokens = open_clip.SimpleTokenizer(context_length=16)(["a dog"])
    assert_close(built.encode_text(["a dog"]), clip.encode_text(tokens).detach())


@pytest.mark.parametrize("prefix", ["visual.", ""])
def test_a_file_of_the_vision_tower_alone_gives_no_text_encoder(
    prefix: str, clip: open_clip.CLIP, config: str, images: Tensor, features_of: Any, tmp_path: Path
) -> None:
    tower = {prefix + key: value for key, value in clip.visual.state_dict().items()}
    save_file(tower, tmp_path / "tower.safetensors")

    built = _build(config, tmp_path / "tower.safetensors")

    assert built.encode_text is None
    assert built.logit_scale is None
    assert_close(built.encoder(images), features_of(clip, images))


def test_weights_that_a_run_stored_can_be_started_from(
    config: str, weights: Path, images: Tensor, tmp_path: Path
) -> None:
    first = _build(config, weights)
    head = cfft.Head(torch.ones(3, 12), torch.zeros(3), normalised=True)
    save_file(cfft.Classifier(first.encoder, head).weights(), tmp_path / "run.safetensors")

    built = _build(config, tmp_path / "run.safetensors")

    assert_close(built.encoder(images), first.encoder(images))


def test_the_stored_name_builds_the_same_architecture_without_file_or_text_tower(
    config: str, weights: Path
) -> None:
    first = _build(config, weights, quick_gelu=True, mean=(0.1, 0.2, 0.3))
    Path(config).unlink()

    again = _build(first.rebuild, None)

    assert again.identity == first.identity
    assert again.preprocessing == first.preprocessing
    assert again.encode_text is None


def test_a_local_folder_brings_its_own_weights_and_preprocessing(
    clip: open_clip.CLIP, config: str, images: Tensor, tmp_path: Path
) -> None:
    own = {"mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bilinear"}
    model = json.loads(Path(config).read_text())
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model, "preprocess_cfg": own})
    )
    save_file(clip.state_dict(), folder / "open_clip_model.safetensors")

    built = _build(f"local-dir:{folder}", None)

    assert built.preprocessing.interpolation == "bilinear"
    assert built.preprocessing.size == (16, 24)
    assert_close(built.encoder(images), clip.encode_image(images).detach())


def test_without_weights_the_values_are_random_but_the_same_every_time(
    config: str, images: Tensor
) -> None:
    before = torch.random.get_rng_state()

    first, second = _build(config, None), _build(config, None)

    assert_close(first.encoder(images), second.encoder(images), rtol=0, atol=0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_templates_are_openais_eighty_and_seven_with_a_place_for_the_name(config: str) -> None:
    templates = _build(config, None).templates

    assert [len(templates["openai"]), len(templates["simple"])] == [80, 7]
    assert templates["openai"][0] == "a bad photo of a {}."


@pytest.mark.parametrize("model", ["ViT-B-32", "ViT-B-32-quickgelu"])
def test_openais_tag_brings_quick_gelu_whatever_the_name(model: str) -> None:
    architecture = find_architecture(model)
    source = locate(architecture, "openai")

    assert settle_activation(architecture, source, None) is True


def _wise_ft(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Write a CLIP model as WiSE-FT does: without the transformer of the text tower."""
    kept = {key: tensor for key, tensor in state.items() if not key.startswith("transformer.")}
    return {f"image_encoder.model.{key}": tensor for key, tensor in kept.items()} | _CLASSIFIER


def _model_soups(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"module.model.{key}": tensor for key, tensor in state.items()} | {
        f"module.{key}": tensor for key, tensor in _CLASSIFIER.items()
    }


def _flyp(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"module.model.{key}": tensor for key, tensor in state.items()}


def _lightning(state: dict[str, Tensor]) -> dict[str, Any]:
    inner = {f"model._orig_mod.{key}": tensor for key, tensor in state.items()}
    return {"pytorch-lightning_version": "2.4.0", "state_dict": inner, "optimizer_states": []}


_CLASSIFIER = {
    "classification_head.weight": torch.ones(3, 12),
    "classification_head.bias": torch.zeros(3),
}


@pytest.mark.parametrize(
    ("write", "has_text"),
    [(_wise_ft, False), (_model_soups, True), (_flyp, True), (_lightning, True)],
)
def test_state_dictionaries_of_other_programs_give_the_same_features(
    write: Callable[[dict[str, Tensor]], Any],
    has_text: bool,
    clip: open_clip.CLIP,
    built_alike: BuiltAlike,
    tmp_path: Path,
) -> None:
    torch.save(write(clip.state_dict()), tmp_path / "theirs.pt")

    built = built_alike(tmp_path / "theirs.pt")

    assert (built.encode_text is not None) is has_text


def test_a_nest_of_a_file_is_chosen_beside_its_name(
    clip: open_clip.CLIP, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {key: tensor + 1 for key, tensor in clip.state_dict().items()}
    torch.save({"state_dict": clip.state_dict(), "ema": other}, tmp_path / "two.pt")
    monkeypatch.chdir(tmp_path)

    usual, average = (OpenClipBackbone().build(config, name) for name in ("two.pt", "two.pt:ema"))

    assert (usual.nest, average.nest) == ("state_dict", "ema")
    assert "others lie beside them: ema" in usual.warnings[0]
    assert average.warnings == ()
    assert usual.logit_scale is not None
    assert average.logit_scale == pytest.approx(usual.logit_scale + 1)
