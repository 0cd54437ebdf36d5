"""Tags without a network: one line at once, and nothing is asked for what is in the cache."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from huggingface_hub import constants

import cfft
from cfft_backbones import OpenClipBackbone, TimmBackbone
from cfft_backbones.hub import fetch


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("offline")
def test_an_open_clip_tag_that_is_not_cached_is_one_clear_line() -> None:
    started = time.monotonic()

    with pytest.raises(cfft.WeightsError) as caught:
        OpenClipBackbone().build("ViT-B-32", "openai")

    assert "weights 'openai' of ViT-B-32: not in the cache" in str(caught.value)
    assert "local weight file (--pretrained PATH)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 30


@pytest.mark.usefixtures("offline")
def test_a_timm_tag_that_is_not_cached_is_one_clear_line() -> None:
    with pytest.raises(cfft.WeightsError, match=r"timm:vit_tiny_patch16_224.augreg_in21k: not in"):
        TimmBackbone().build("vit_tiny_patch16_224", "augreg_in21k")


def test_a_cached_file_is_found_without_asking_anybody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--owner--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    stored = repository / "snapshots" / "abc" / "model.safetensors"
    stored.parent.mkdir(parents=True)
    stored.touch()

    assert fetch("owner/name", ["other.bin", "model.safetensors"], "weights") == stored
