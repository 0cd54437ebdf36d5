"""A tiny CLIP with both towers, and a guard that keeps every test off the network."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import open_clip
import pytest
import torch
from torch import Tensor

CONFIG = {
    "embed_dim": 12,
    "vision_cfg": {
        "image_size": [16, 24],
        "patch_size": 8,
        "width": 32,
        "layers": 2,
        "head_width": 16,
    },
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a test touched the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def _make_clip(**changes: Any) -> open_clip.CLIP:
    """Return open_clip's own model, every tensor random, so that no mix-up goes unseen."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = open_clip.CLIP(**{**CONFIG, **changes}).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture
def make_clip() -> Callable[..., open_clip.CLIP]:
    return _make_clip


@pytest.fixture
def clip() -> open_clip.CLIP:
    return _make_clip()


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(CONFIG))
    return str(path)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def features_of() -> Callable[[open_clip.CLIP, Tensor], Tensor]:
    return _features_of


def _features_of(model: open_clip.CLIP, images: Tensor) -> Tensor:
    """Encode images in 0..1 as open_clip itself does."""
    mean, std = (
        torch.tensor(values)[:, None, None]
        for values in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    with torch.no_grad():
        return model.encode_image((images - mean) / std)


@pytest.fixture
def huggingface_names() -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return _huggingface_names


def _huggingface_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Write a two-layer, one-text-layer CLIP as transformers' CLIPModel saves it."""
    towers = [("vision_model", "visual.transformer", 2), ("text_model", "transformer", 1)]
    found = {
        "logit_scale": state["logit_scale"],
        "visual_projection.weight": state["visual.proj"].T.contiguous(),
        "text_projection.weight": state["text_projection"].T.contiguous(),
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        "vision_model.embeddings.position_ids": torch.arange(7)[None],
        "text_model.embeddings.token_embedding.weight": state["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state["positional_embedding"],
        "text_model.embeddings.position_ids": torch.arange(16)[None],
    }
    for theirs, ours in (
        ("vision_model.pre_layrnorm", "visual.ln_pre"),
        ("vision_model.post_layernorm", "visual.ln_post"),
        ("text_model.final_layer_norm", "ln_final"),
    ):
        found |= {f"{theirs}.{kind}": state[f"{ours}.{kind}"] for kind in ("weight", "bias")}
    for tower, transformer, layers in towers:
        for layer in range(layers):
            theirs, ours = f"{tower}.encoder.layers.{layer}", f"{transformer}.resblocks.{layer}"
            found |= _huggingface_layer(state, theirs, ours)
    return {key: tensor.clone() for key, tensor in found.items()}


def _huggingface_layer(state: dict[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    found = {}
    for kind in ("weight", "bias"):
        query, key, value = state[f"{ours}.attn.in_proj_{kind}"].chunk(3)
        found |= {
            f"{theirs}.self_attn.q_proj.{kind}": query,
            f"{theirs}.self_attn.k_proj.{kind}": key,
            f"{theirs}.self_attn.v_proj.{kind}": value,
            f"{theirs}.self_attn.out_proj.{kind}": state[f"{ours}.attn.out_proj.{kind}"],
            f"{theirs}.layer_norm1.{kind}": state[f"{ours}.ln_1.{kind}"],
            f"{theirs}.layer_norm2.{kind}": state[f"{ours}.ln_2.{kind}"],
            f"{theirs}.mlp.fc1.{kind}": state[f"{ours}.mlp.c_fc.{kind}"],
            f"{theirs}.mlp.fc2.{kind}": state[f"{ours}.mlp.c_proj.{kind}"],
        }
    return found
