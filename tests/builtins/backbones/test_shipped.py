"""cfft-mini, the CLIP model that comes with cfft."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

import cfft
from cfft_backbones import OpenClipBackbone
from cfft_backbones.open_clip.shipped import shipped_models


@pytest.fixture(scope="module")
def mini() -> cfft.Pretrained:
    return OpenClipBackbone().build("cfft-mini", None)


def test_files_of_cfft_mini_are_at_most_eight_megabytes() -> None:
    sizes = [path.stat().st_size for path in shipped_models()["cfft-mini"].iterdir()]

    assert sum(sizes) <= 8_000_000


def test_cfft_mini_is_a_clip_model_of_64_patches(mini: cfft.Pretrained) -> None:
    assert mini.encoder.grid == (8, 8)
    assert mini.preprocessing.size == (64, 64)
    assert mini.encode_text is not None


def test_cfft_mini_computes_in_single_precision(mini: cfft.Pretrained) -> None:
    assert mini.encoder(torch.rand(1, 3, 64, 64)).dtype == torch.float32


def test_cfft_mini_tells_things_by_their_names(mini: cfft.Pretrained) -> None:
    names = ["key", "scissors", "umbrella", "butterfly"]

    features = F.normalize(mini.encode_text([f"a photo of a {name}." for name in names]), dim=-1)

    assert (features @ features.T).fill_diagonal_(-1).max() < 0.9


def test_an_unknown_model_suggests_cfft_mini() -> None:
    with pytest.raises(cfft.ConfigError, match="did you mean 'cfft-mini'"):
        OpenClipBackbone().build("cfft-mni", None)
