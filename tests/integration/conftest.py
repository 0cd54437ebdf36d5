"""A tiny CLIP on disk and a tiny world of images: a whole run takes seconds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from cfft.config.layers import Layer, read_defaults
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.plugin.registry import Registry
from cfft.runtime import devices
from cfft.training.run import run

CLIP = {
    "embed_dim": 8,
    "vision_cfg": {
        "image_size": [16, 24],
        "patch_size": 8,
        "width": 16,
        "layers": 2,
        "head_width": 8,
    },
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}
COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}
Configure = Callable[..., RunConfig]
MakeLayer = Callable[..., Layer]
WriteClip = Callable[[Mapping[str, Any], Path], tuple[Path, Path]]
Command = Callable[..., Any]
Evaluate = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session", autouse=True)
def auto_in_float32() -> Iterator[None]:
    """Let auto be fp32 whatever the CPU: many tests compare numbers that bf16 rounds by batch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "AUTO_IS_BF16_ON_CPUS", False)
        yield


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.installed()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw domains/<sunny|dark>/<colour>/*.png: noise of one colour, 12 and 4 images each."""
    root = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    for domain, count, light in (("sunny", 12, 1.0), ("dark", 4, 0.4)):
        for name, colour in COLOURS.items():
            folder = root / domain / name
            folder.mkdir(parents=True)
            for number in range(count):
                noise = light * (np.array(colour) + rng.normal(0, 60, (20, 30, 3)))
                pixels = noise.clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return root


def _write_clip(config: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    import open_clip

    (folder / "tiny.json").write_text(json.dumps(config))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.CLIP(**config)
    save_file(model.state_dict(), folder / "tiny.safetensors")
    return folder / "tiny.json", folder / "tiny.safetensors"


@pytest.fixture(scope="session")
def write_clip() -> WriteClip:
    """Return `write_clip(config, folder)`: open_clip config and random weights, both as paths."""
    return _write_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Write the tiny CLIP; return the paths of its config and weights."""
    return _write_clip(CLIP, tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def make_layer(world: Path, clip: tuple[Path, Path]) -> MakeLayer:
    """Return `make_layer(**training)`: the tiny CLIP and the world, with settings of [training]."""

    def made(**training: Any) -> Layer:
        found = Layer("test")
        found.choose("suite", ["domains"])
        found.values["suite", "domains"] = {"data": str(world), "id": "sunny"}
        found.settings["model"] = {"name": str(clip[0]), "pretrained": str(clip[1])}
        found.settings["model"]["prompts"] = "class-name"
        found.settings["training"] = {"batch_size": 8, "workers": 0, **training}
        return found

    return made


@pytest.fixture
def layer(make_layer: MakeLayer) -> Layer:
    """Say what every run here has in common; tests may change it."""
    return make_layer(epochs=2, lr=1e-3, log_every=2, precision="fp32")


@pytest.fixture
def configure(layer: Layer, registry: Registry) -> Configure:
    """Return a function from settings of [training] to a configuration."""

    def configured(**training: Any) -> RunConfig:
        layer.settings["training"].update(training)
        return resolve(registry, [read_defaults(), layer])

    return configured


@pytest.fixture(scope="session")
def runs(
    make_layer: MakeLayer, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Fine-tune twice, with the seeds 0 and 1, and return the folder of both runs."""
    folder = tmp_path_factory.mktemp("runs")
    layer = make_layer(epochs=1, lr=1e-2)
    for layer.seed in (0, 1):
        config = resolve(registry, [read_defaults(), layer])
        run(config, registry, folder / f"seed{layer.seed}")
    return folder


@pytest.fixture
def evaluate(cfft_command: Command, tmp_path: Path) -> Evaluate:
    """Return `evaluate(*words)`, which returns evaluation.json of a command that must succeed."""

    def evaluated(*words: object, out: Path = tmp_path / "EVAL") -> dict[str, Any]:
        workers = () if "--from-predictions" in words else ("--workers", "0")
        own = ("--out", str(out), *workers, "--json")
        ended = cfft_command("eval", *map(str, words), *own)
        assert ended.code == 0, ended.err
        found: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
        assert json.loads(ended.out) == found
        return found

    return evaluated
