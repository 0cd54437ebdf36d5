"""Small vision transformers of both libraries, on images of 16 x 24 pixels: a 2 x 3 grid."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

import cfft

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def preprocessing() -> cfft.Preprocessing:
    return cfft.Preprocessing((16, 24), 24, "bicubic", MEAN, STD)


@pytest.fixture
def open_clip_tower() -> Callable[..., nn.Module]:
    return _open_clip_tower


@pytest.fixture
def timm_tower() -> Callable[..., nn.Module]:
    return _timm_tower


@pytest.fixture(params=["open_clip", "timm"])
def tower(request: pytest.FixtureRequest) -> nn.Module:
    """Return a tower of each library, the second with registers and normalised queries."""
    builders = {
        "open_clip": partial(_open_clip_tower, ls_init_value=0.5),
        "timm": partial(_timm_tower, reg_tokens=2, no_embed_class=True, qk_norm=True),
    }
    return builders[request.param]()


@pytest.fixture
def classifier(tower: nn.Module, preprocessing: cfft.Preprocessing) -> cfft.Classifier:
    return classifier_of(tower, preprocessing)


def classifier_of(tower: nn.Module, preprocessing: cfft.Preprocessing) -> cfft.Classifier:
    encoder = cfft.Encoder(tower, preprocessing)
    draws = torch.Generator().manual_seed(2)
    weight = torch.randn(4, encoder.dim, generator=draws)
    bias = torch.randn(4, generator=draws)
    return cfft.Classifier(encoder, cfft.Head(weight, bias, normalised=True))


def _open_clip_tower(**changes: object) -> nn.Module:
    from open_clip.transformer import VisionTransformer

    sizes = {"width": 32, "layers": 3, "heads": 4, "mlp_ratio": 2.0, "output_dim": 12}
    return _shaken(VisionTransformer((16, 24), 8, **{**sizes, **changes}))


def _timm_tower(**changes: object) -> nn.Module:
    from timm.models.vision_transformer import VisionTransformer

    sizes = {"embed_dim": 32, "depth": 3, "num_heads": 4, "mlp_ratio": 2.0, "num_classes": 0}
    return _shaken(VisionTransformer((16, 24), 8, **{**sizes, **changes}))


def _shaken(tower: nn.Module) -> nn.Module:
    """Draw every parameter anew around its mean, so that none is 0 or 1 and each one matters."""
    draws = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in tower.parameters():
            noise = torch.randn(parameter.shape, generator=draws)
            parameter.copy_(parameter.mean().round() + 0.2 * noise)
    return tower
