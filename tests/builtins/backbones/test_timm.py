"""timm models: the encoder is timm's own, with its preprocessing and its classifier."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models import get_pretrained_cfg
from torch import Tensor
from torch.testing import assert_close
from torchvision.transforms import v2

import cfft
from cfft.model.checkpoint import Checkpoint, save
from cfft_backbones import TimmBackbone
from cfft_backbones.timm.models import download

NAME = "test_vit"  # timm's own tiny one: 160 pixels, patch 16, width 64


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(5))


def _timm_model(classes: int) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model: torch.nn.Module = timm.create_model(NAME, num_classes=classes).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def _prepared(images: Tensor, built: cfft.Pretrained) -> Tensor:
    mean, std = built.preprocessing.mean, built.preprocessing.std
    return (images - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def test_a_file_with_a_classifier_gives_timms_logits_through_the_own_head(
    images: Tensor, tmp_path: Path
) -> None:
    model = _timm_model(classes=5)
    save_file(model.state_dict(), tmp_path / "five.safetensors")

    built = TimmBackbone().build(NAME, str(tmp_path / "five.safetensors"))

    assert built.own_head is not None
    assert_close(built.own_head(built.encoder(images)), model(_prepared(images, built)))
    assert built.normalised is False
    assert built.encode_text is None


def test_a_pickle_without_a_classifier_gives_no_own_head(images: Tensor, tmp_path: Path) -> None:
    model = _timm_model(classes=0)
    torch.save(model.state_dict(), tmp_path / "bare.pth")

    built = TimmBackbone().build(NAME, str(tmp_path / "bare.pth"))

    assert built.own_head is None
    assert_close(built.encoder(images), model(_prepared(images, built)))


def test_weights_that_a_run_stored_bring_the_head_of_that_run(tmp_path: Path) -> None:
    first = TimmBackbone().build(NAME, None)
    head = cfft.Head(torch.ones(3, first.encoder.dim), torch.zeros(3), normalised=False)
    save_file(cfft.Classifier(first.encoder, head).weights(), tmp_path / "run.safetensors")

    built = TimmBackbone().build(NAME, str(tmp_path / "run.safetensors"))

    assert built.own_head is not None
    assert_close(built.own_head.weight.detach(), torch.ones(3, first.encoder.dim))


@pytest.mark.parametrize("copied_to", ["run/best/weights.safetensors", "alone.safetensors"])
def test_weights_of_a_run_with_other_facts_are_refused(copied_to: str, tmp_path: Path) -> None:
    trained = TimmBackbone().build(NAME, None)
    head = cfft.Head(torch.ones(3, 64), torch.zeros(3), normalised=False)
    weights = cfft.Classifier(trained.encoder, head).weights()
    facts = {**trained.identity, "activation": "QuickGELU"}
    save(tmp_path / "run" / "best", Checkpoint(weights, {"identity": facts}))
    written = tmp_path / "run" / "best" / "weights.safetensors"
    (tmp_path / copied_to).write_bytes(written.read_bytes())

    with pytest.raises(cfft.WeightsError, match="activation is QuickGELU, not GELU"):
        TimmBackbone().build(NAME, str(tmp_path / copied_to))


def test_a_training_checkpoint_of_timm_says_which_of_its_weights_were_taken(
    tmp_path: Path,
) -> None:
    raw, average = _timm_model(classes=5).state_dict(), _timm_model(classes=5).state_dict()
    torch.save({"state_dict": raw, "state_dict_ema": average, "epoch": 3}, tmp_path / "last.pth")

    built = TimmBackbone().build(NAME, str(tmp_path / "last.pth"))

    assert built.nest == "state_dict"
    assert "last.pth:state_dict_ema would take those" in built.warnings[0]
    assert TimmBackbone().build(NAME, f"{tmp_path / 'last.pth'}:state_dict_ema").warnings == ()


def test_preprocessing_is_that_of_timms_evaluation() -> None:
    prepared = TimmBackbone().build("vit_tiny_patch16_224", None).preprocessing

    assert prepared == cfft.Preprocessing(
        (224, 224), 248, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    )


def test_without_weights_the_values_are_random_but_the_same_every_time(images: Tensor) -> None:
    first, second = TimmBackbone().build(NAME, None), TimmBackbone().build(NAME, None)

    assert_close(first.encoder(images), second.encoder(images), rtol=0, atol=0)
    assert first.own_head is None
    assert first.identity == second.identity


def test_an_unknown_model_is_named_with_the_nearest_spelling() -> None:
    with pytest.raises(cfft.ConfigError, match="'vit_tiny_patch16_242'; did you mean 'vit_tiny"):
        TimmBackbone().build("vit_tiny_patch16_242", None)


def test_an_unknown_tag_is_named_with_the_tags_of_that_model() -> None:
    with pytest.raises(cfft.ConfigError, match="'augreg_21k'; did you mean 'augreg_in21k'"):
        TimmBackbone().build("vit_tiny_patch16_224", "augreg_21k")


def test_a_resnet_is_refused_by_name_before_any_weights_are_read() -> None:
    with pytest.raises(cfft.WeightsError, match=r"model 'timm:resnet18.*deit3_small_patch16_224"):
        TimmBackbone().build("resnet18", "gone.safetensors")


def test_a_file_of_another_library_is_reported_by_what_it_lacks(tmp_path: Path) -> None:
    save_file({"visual.conv1.weight": torch.zeros(1)}, tmp_path / "clip.safetensors")

    with pytest.raises(cfft.WeightsError, match=r"than timm:test_vit.*missing.*open_clip model"):
        TimmBackbone().build(NAME, str(tmp_path / "clip.safetensors"))


def test_clip_weights_that_want_quick_gelu_are_refused_without_it() -> None:
    with pytest.raises(cfft.WeightsError, match=r"vit_base_patch32_clip_quickgelu_224.openai"):
        TimmBackbone().build("vit_base_patch32_clip_224", "openai")


def _tags_of_quick_gelu() -> list[str]:
    """Name timm's models whose weights want QuickGELU though the model has GELU."""
    names = timm.list_pretrained("*_clip_*", exclude_filters="*quickgelu*")
    notes = {name: get_pretrained_cfg(name).notes or () for name in names}
    return [name for name in names if any("QuickGELU" in note for note in notes[name])]


@pytest.mark.parametrize("name", _tags_of_quick_gelu())
def test_the_remedy_for_a_wrong_activation_is_a_model_that_timm_has(name: str) -> None:
    with pytest.raises(cfft.WeightsError, match="use --model timm:") as got:
        download(name)

    assert str(got.value).rpartition("timm:")[2] in timm.list_pretrained()


def test_weights_of_a_model_without_a_twin_are_taken_from_open_clip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timm, "list_pretrained", lambda *_: [])

    with pytest.raises(cfft.WeightsError, match=r"QuickGELU; take them as open_clip has them$"):
        download("vit_base_patch32_clip_224.openai")


@pytest.mark.realdata
@pytest.mark.skipif("CFFT_REALDATA" not in os.environ, reason="CFFT_REALDATA names no folder")
def test_the_tiny_vit_knows_imagenet_images_by_its_own_head() -> None:
    data = Path(os.environ["CFFT_REALDATA"])
    built = TimmBackbone().build(
        "vit_tiny_patch16_224", str(data / "vit_tiny_patch16_224.safetensors")
    )
    assert built.own_head is not None
    classes = json.loads((data / "imagenet_wnids.json").read_text())
    paths = sorted((data / "imagenet_sample").glob("*/*.JPEG"))[::10]
    prepare = v2.Compose(
        [
            v2.Resize(248, interpolation=v2.InterpolationMode.BICUBIC),
            v2.CenterCrop(224),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    images = torch.stack([prepare(Image.open(path).convert("RGB")) for path in paths])
    labels = torch.tensor([classes.index(path.parent.name) for path in paths])

    with torch.no_grad():
        right = built.own_head(built.encoder(images)).argmax(dim=1) == labels

    assert right.float().mean() >= 0.7
