"""Images of another size: positional embeddings are interpolated as the libraries do themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch
from open_clip.model import resize_pos_embed
from safetensors.torch import save_file
from torch import Tensor
from torch.testing import assert_close

import cfft
from cfft.model.checkpoint import Checkpoint, save
from cfft.model.description import describe, read_model
from cfft.model.rebuild import rebuild
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import as_json
from cfft_backbones import OpenClipBackbone, TimmBackbone

VISION = {"image_size": 16, "patch_size": 8, "width": 32, "layers": 2, "head_width": 16}
POSITIONS = "visual.positional_embedding"
TIMM = "test_vit"  # timm's own tiny one: 160 pixels, patch 16, 10x10 patches
LARGE = {OpenClipBackbone: 32, TimmBackbone: 192}
Backbone = type[OpenClipBackbone] | type[TimmBackbone]
Named = tuple[str, str]


@pytest.fixture
def square(config: str) -> str:
    """Write the config of a model of 2x2 patches and return its path."""
    facts = json.loads(Path(config).read_text())
    Path(config).write_text(json.dumps({**facts, "vision_cfg": VISION}))
    return config


@pytest.fixture
def open_clip_model(square: str, make_clip: Callable[..., open_clip.CLIP], tmp_path: Path) -> Named:
    """Return a config and the weights of a model of 2x2 patches."""
    save_file(make_clip(vision_cfg=VISION).state_dict(), tmp_path / "clip.safetensors")
    return square, str(tmp_path / "clip.safetensors")


@pytest.fixture
def timm_model(tmp_path: Path) -> Named:
    """Return a name and the weights of a model of 10x10 patches, its classifier included."""
    save_file(_timm_model().state_dict(), tmp_path / "timm.safetensors")
    return TIMM, str(tmp_path / "timm.safetensors")


@pytest.fixture(params=[OpenClipBackbone, TimmBackbone])
def model(request: pytest.FixtureRequest) -> tuple[Backbone, Named]:
    """Return each backbone with a name and weights for it."""
    backbone: Backbone = request.param
    fixture = "open_clip_model" if backbone is OpenClipBackbone else "timm_model"
    return backbone, request.getfixturevalue(fixture)


def _timm_model(**settings: Any) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made: torch.nn.Module = timm.create_model(TIMM, **{"num_classes": 5, **settings}).eval()
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return made


def _images(size: int) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("size", [8, 32, 40])
def test_open_clips_own_model_of_that_size_gives_the_same_features(
    size: int,
    open_clip_model: Named,
    make_clip: Callable[..., open_clip.CLIP],
    features_of: Callable[[open_clip.CLIP, Tensor], Tensor],
) -> None:
    state = make_clip(vision_cfg=VISION).state_dict()
    theirs = make_clip(vision_cfg={**VISION, "image_size": size})
    resize_pos_embed(state, theirs)
    theirs.load_state_dict(state)

    built = OpenClipBackbone(image_size=size).build(*open_clip_model)

    assert_close(built.encoder(_images(size)), features_of(theirs, _images(size)))
    assert built.encoder.grid == (size // 8, size // 8)
    assert built.interpolated_from == (2, 2)
    assert built.preprocessing.size == (size, size)
    assert built.preprocessing.resize == size


@pytest.mark.parametrize("size", [96, 192])
def test_timms_own_model_of_that_size_gives_the_same_logits(size: int, timm_model: Named) -> None:
    overlay = {"file": timm_model[1], "num_classes": 5, "custom_load": False}
    theirs = timm.create_model(
        TIMM, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=5, img_size=size
    ).eval()

    built = TimmBackbone(image_size=size).build(*timm_model)

    assert built.own_head is not None
    normalised = (_images(size) - built.encoder.mean) / built.encoder.std
    assert_close(built.own_head(built.encoder(_images(size))), theirs(normalised))
    assert built.encoder.grid == (size // 16, size // 16)
    assert built.interpolated_from == (10, 10)


def test_published_weights_of_timm_are_interpolated_as_files_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "published.safetensors"
    save_file(_timm_model(num_classes=1000).state_dict(), path)
    monkeypatch.setattr("cfft_backbones.timm.models.fetch", lambda *_: path)

    tag = TimmBackbone(image_size=96).build(TIMM, "r160_in1k")

    file = TimmBackbone(image_size=96).build(TIMM, str(path))
    assert torch.equal(tag.encoder(_images(96)), file.encoder(_images(96)))
    assert tag.interpolated_from == (10, 10)
    assert tag.rebuild == "test_vit.r160_in1k@96"


def test_timm_resizes_and_crops_larger_images_by_the_same_share() -> None:
    prepared = TimmBackbone(image_size=384).build("vit_tiny_patch16_224", None).preprocessing

    assert (prepared.size, prepared.resize) == ((384, 384), 426)  # floor(384 / 0.9)


def test_weights_of_that_size_are_taken_as_they_are(
    square: str, make_clip: Callable[..., open_clip.CLIP], tmp_path: Path
) -> None:
    large = make_clip(vision_cfg={**VISION, "image_size": 32}).state_dict()
    save_file(large, tmp_path / "large.safetensors")

    built = OpenClipBackbone(image_size=32).build(square, str(tmp_path / "large.safetensors"))

    assert built.interpolated_from is None
    assert torch.equal(built.encoder.state_dict()["tower.positional_embedding"], large[POSITIONS])


def test_the_usual_size_changes_nothing(model: tuple[Backbone, Named]) -> None:
    backbone, named = model
    usual = backbone().build(*named)

    built = backbone(image_size=usual.preprocessing.size[0]).build(*named)

    assert built.interpolated_from is None
    assert (built.identity, built.preprocessing) == (usual.identity, usual.preprocessing)


def test_half_precision_is_interpolated_too(open_clip_model: Named, tmp_path: Path) -> None:
    config, weights = open_clip_model
    tensors = cfft.read_weights(Path(weights)).tensors
    halves = {key: value.half() for key, value in tensors.items()}
    save_file(halves, tmp_path / "half.safetensors")

    built = OpenClipBackbone(image_size=32).build(config, str(tmp_path / "half.safetensors"))

    assert built.interpolated_from == (2, 2)


def test_a_checkpoint_of_another_size_gives_the_same_features_again(
    model: tuple[Backbone, Named], tmp_path: Path
) -> None:
    backbone, (name, weights) = model
    size, kind = LARGE[backbone], "open_clip" if backbone is OpenClipBackbone else "timm"
    built = backbone(image_size=size).build(name, weights)
    head = cfft.Head(torch.ones(3, built.encoder.dim), torch.zeros(3), built.normalised)
    described = describe(kind, name, built, ("a", "b", "c"), head="linear-probe")
    trained = cfft.Classifier(built.encoder, head)
    save(tmp_path / "run", Checkpoint(trained.weights(), as_json(described)))

    again = rebuild(read_model(tmp_path / "run"), Registry.installed())

    assert described.identity["image"] == f"{size}x{size}"
    assert torch.equal(again(_images(size)).logits, trained(_images(size)).logits)


def test_maps_and_dropped_patches_follow_the_new_grid(model: tuple[Backbone, Named]) -> None:
    backbone, named = model
    size = LARGE[backbone]
    encoder = backbone(image_size=size).build(*named).encoder
    head = cfft.Head(torch.rand(3, encoder.dim), torch.zeros(3), normalised=False)
    dropped = torch.zeros(2, *encoder.grid, dtype=torch.bool)
    dropped[:, -1, 1:] = True
    capture = cfft.Capture()

    logits = head(encoder(_images(size), capture=capture))
    scores = cfft.relevance_scores(capture, logits, torch.tensor([0, 2]))
    gathered, masked = (
        _with_execution(encoder, execution)(_images(size), dropped=dropped)
        for execution in ("gather", "mask")
    )

    assert scores.shape == dropped.shape
    assert_close(gathered, masked)
    assert not torch.allclose(gathered, encoder(_images(size)))


def _with_execution(encoder: cfft.Encoder, execution: Any) -> cfft.Encoder:
    encoder.execution = execution
    return encoder


def test_weights_that_a_run_stored_are_interpolated_where_that_is_asked_for(
    model: tuple[Backbone, Named], tmp_path: Path
) -> None:
    backbone, (name, weights) = model
    first = backbone().build(name, weights)
    head = cfft.Head(torch.ones(3, first.encoder.dim), torch.zeros(3), first.normalised)
    stored = cfft.Classifier(first.encoder, head).weights()
    save(tmp_path / "run", Checkpoint(stored, {"identity": dict(first.identity)}))
    file = str(tmp_path / "run" / "weights.safetensors")

    built = backbone(image_size=LARGE[backbone]).build(name, file)

    assert built.interpolated_from == first.encoder.grid


def test_weights_that_a_run_stored_hint_at_their_size(
    model: tuple[Backbone, Named], tmp_path: Path
) -> None:
    backbone, (name, weights) = model
    size = LARGE[backbone]
    first = backbone(image_size=size).build(name, weights)
    head = cfft.Head(torch.ones(3, first.encoder.dim), torch.zeros(3), first.normalised)
    stored = cfft.Classifier(first.encoder, head).weights()
    save(tmp_path / "run", Checkpoint(stored, {"identity": dict(first.identity)}))

    with pytest.raises(cfft.WeightsError, match=rf"image is {size}x.*--image-size {size} reads"):
        backbone().build(name, str(tmp_path / "run" / "weights.safetensors"))


def test_open_clip_weights_of_another_grid_hint_at_their_size_and_at_the_models(
    square: str, make_clip: Callable[..., open_clip.CLIP], tmp_path: Path
) -> None:
    large = make_clip(vision_cfg={**VISION, "image_size": 24}).state_dict()
    save_file(large, tmp_path / "large.safetensors")

    with pytest.raises(
        cfft.WeightsError,
        match=r"\[10, 32\] instead of \[5, 32\]\); its positional embeddings are for 24x24 pixels: "
        r"give --image-size 24 to read such images, or --image-size 16 to interpolate them$",
    ):
        OpenClipBackbone().build(square, str(tmp_path / "large.safetensors"))


def test_timm_weights_of_another_grid_hint_at_their_size_and_at_the_models(tmp_path: Path) -> None:
    save_file(_timm_model(img_size=192).state_dict(), tmp_path / "large.safetensors")

    with pytest.raises(
        cfft.WeightsError, match=r"for 192x192 pixels: give --image-size 192 .* --image-size 160 to"
    ):
        TimmBackbone().build(TIMM, str(tmp_path / "large.safetensors"))


def test_weights_of_another_model_hint_at_no_size(
    square: str, make_clip: Callable[..., open_clip.CLIP], tmp_path: Path
) -> None:
    other = make_clip(vision_cfg={**VISION, "image_size": 24, "width": 48}).state_dict()
    save_file(other, tmp_path / "other.safetensors")

    with pytest.raises(cfft.WeightsError, match="of another shape") as got:
        OpenClipBackbone().build(square, str(tmp_path / "other.safetensors"))

    assert "--image-size" not in str(got.value)


def test_embeddings_that_are_no_square_are_not_interpolated(
    clip: open_clip.CLIP, config: str, tmp_path: Path
) -> None:
    save_file(clip.state_dict(), tmp_path / "wide.safetensors")

    with pytest.raises(cfft.WeightsError, match=r"for 6 patches, .* no square .*leave --image-siz"):
        OpenClipBackbone(image_size=32).build(config, str(tmp_path / "wide.safetensors"))


def test_as_many_patches_of_another_shape_are_not_taken_for_the_models(
    config: str, make_clip: Callable[..., open_clip.CLIP], tmp_path: Path
) -> None:
    wide = {**VISION, "image_size": [8, 32]}
    save_file(make_clip(vision_cfg=wide).state_dict(), tmp_path / "wide.safetensors")
    facts = {**json.loads(Path(config).read_text()), "vision_cfg": wide}
    Path(config).write_text(json.dumps(facts))

    with pytest.raises(cfft.WeightsError, match=r"for 4 patches, .* no square"):
        OpenClipBackbone(image_size=16).build(config, str(tmp_path / "wide.safetensors"))


@pytest.mark.parametrize(
    ("backbone", "name", "line"),
    [
        (OpenClipBackbone, "ViT-B-32", "--image-size 300 is no multiple of 32, .*give 288 or 320"),
        (TimmBackbone, "vit_tiny_patch16_224", "no multiple of 16, .*'timm:vit_tiny.* 288 or 304"),
    ],
)
def test_a_size_that_is_no_whole_number_of_patches_is_refused(
    backbone: Backbone, name: str, line: str
) -> None:
    with pytest.raises(cfft.ConfigError, match=line):
        backbone(image_size=300).build(name, None)


def test_a_size_below_one_patch_is_answered_with_one_patch() -> None:
    with pytest.raises(cfft.ConfigError, match=r"of 'ViT-B-32': give 32$"):
        OpenClipBackbone(image_size=7).build("ViT-B-32", None)


@pytest.mark.parametrize("name", ["RN50", "ViT-B-16-SigLIP"])
def test_a_tower_without_patches_is_still_refused_by_its_name(name: str) -> None:
    with pytest.raises(cfft.WeightsError, match=f"model '{name}' cannot be used"):
        OpenClipBackbone(image_size=300).build(name, None)


def test_timms_resnets_are_still_refused_by_their_name() -> None:
    with pytest.raises(cfft.WeightsError, match="model 'timm:resnet18'"):
        TimmBackbone(image_size=300).build("resnet18", None)
