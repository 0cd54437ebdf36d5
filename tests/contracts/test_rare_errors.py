"""Errors that no other test produces, each with the words that its user needs."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

import cfft
from cfft.cli.streams import Streams
from cfft.config.layers import COMMAND_LINE, Layer, parse_layer, read_defaults
from cfft.config.resolve import resolve
from cfft.data.check import Unreadable, readable
from cfft.data.images import class_folders
from cfft.encoder.encoder import Head
from cfft.encoder.towers import reader
from cfft.evaluation.merging.paths import merge_path
from cfft.model.checkpoint import Checkpoint, load, save
from cfft.model.weights import read_weight_file
from cfft.plugin.registry import Registry
from cfft.runtime.documents import read_text_file
from cfft.runtime.progress import Silent
from cfft.scoring.gathering import GatheredRows
from cfft.scoring.loaded_model import require_pixels
from cfft.step.passes import CleanPass
from cfft.step.patches import paste_patches
from cfft.testing import FixedView, tiny_batch, tiny_classifier
from cfft.training.averaging import WeightAverage
from cfft.training.inputs import check_allowed
from cfft.training.metrics import read_metrics
from cfft.training.run_directory import RunDirectory
from cfft.training.sweep.declaration import parse_sweep, read_sweep
from cfft.training.sweep.outcome import run_sweep
from cfft_suites.cifar10.files import read_dictionary
from cfft_suites.lists.suite import ListsSuite

REGISTRY = Registry.installed()
BASE = """
[model]
name = "ViT-B-32"
pretrained = "random"
[suite]
use = "folder"
data = "/images"
"""


def written(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def weights(folder: Path, content: bytes) -> object:
    return read_weight_file(written(folder, "w.pt", content))


def empty_weights(folder: Path) -> object:
    torch.save({}, folder / "w.pt")
    return read_weight_file(folder / "w.pt")


def configuration(text: str) -> object:
    return resolve(REGISTRY, [read_defaults(), parse_layer(BASE, "base"), parse_layer(text, "f")])


def newer_array(folder: Path) -> object:
    with (folder / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, np.zeros(2), version=(2, 0))
    return read_dictionary("cifar10", [folder / "a.npy"])


def list_beside(folder: Path) -> object:
    file = written(folder, "a.csv", b"path,label\n")
    return ListsSuite(data=file, files=("b.csv",)).open(0)


def domain_called_test(folder: Path) -> object:
    lines = b"path,label,domain\na.png,cat,test\nb.png,dog,real\n"
    for name in ("a.png", "b.png"):
        written(folder, name, b"")
    return ListsSuite(data=written(folder, "a.csv", lines), id="real").open(0)


def encoded(**given: Any) -> object:
    return tiny_classifier().encoder(tiny_batch(2).images, **given)


def too_short_a_name() -> object:
    @cfft.mask("a b")
    class Mask:
        """Hide nothing."""

        def select(self, batch, view): ...

    return Mask


def no_method() -> object:
    @cfft.mask("nothing")
    class Mask:
        """Hide nothing."""

    return Mask


def other_default() -> object:
    @cfft.mask("one")
    class Mask:
        """Hide nothing."""

        share: float = cfft.param("0.5", help="share")  # type: ignore[assignment]

        def select(self, batch, view): ...

    return Mask


def varied_twice() -> object:
    return merge_path(REGISTRY, "wise", {"alpha": "0:1:0.5", "other": "1,2"})


VIEW = """
[[loss]]
use = "feature-mse"
view = "a"
[[view]]
label = "a"
mask = "random"
fill = "mean"
"""


def on_the_command_line(**said: Any) -> object:
    layers = [read_defaults(), parse_layer(BASE + VIEW, "f"), Layer(COMMAND_LINE, **said)]
    return resolve(REGISTRY, layers)


def results_of_three_bounds(folder: Path) -> object:
    sets = {"photo": {"role": "id", "top1": 0.5, "ci95": [0.1, 0.2, 0.3]}}
    written(folder, "results.json", json.dumps({"config": {}, "sets": sets}).encode())
    return RunDirectory(folder).read_results()


def state_of_a_list(folder: Path) -> object:
    save(folder / "last", Checkpoint({"w": torch.zeros(1)}, {"name": "x"}, state={"step": 1}))
    state, manifest = folder / "last" / "state.json", folder / "last" / "manifest.json"
    before, content = state.read_bytes(), b"[]"
    state.write_bytes(content)
    said = manifest.read_text().replace(
        hashlib.sha256(before).hexdigest(), hashlib.sha256(content).hexdigest()
    )
    manifest.write_text(said.replace(f'"bytes": {len(before)}', f'"bytes": {len(content)}'))
    return load(folder / "last")


def sweep_into_a_file(folder: Path) -> object:
    out = written(folder, "out", b"")
    sweep = read_sweep(
        str(written(folder, "s.toml", b'[[row]]\nname = "a"\nrecipe = "embedded"\n'))
    )
    return run_sweep(sweep, REGISTRY, out, 1, Silent(), lambda job, results: None)


def tower(change: Callable[[Any], None]) -> object:
    made = timm.create_model("vit_tiny_patch16_224", depth=1, img_size=32)
    change(made)
    return reader(made)


def too_large_a_share() -> None:
    class Twice:
        def weigh(self, step: int, steps: int) -> float:
            return 2.0

    WeightAverage(Twice(), tiny_classifier()).update({}, None, 1, 2)


def all_unreadable(folder: Path) -> object:
    for name in ("a", "b"):
        (folder / name).mkdir()
        written(folder / name, "0.png", b"no image")
    images = class_folders(folder, "train")
    return readable(images, [Unreadable(images, place, "", "") for place in range(2)])


NO_PIXELS = torch.zeros(0, 3, 2, 2)
METRICS = b'{"step": 1, "epoch": 1, "a": "b"}\n{"step": 2, "epoch": 1}\n'
RARE: list[tuple[str, Callable[[Path], object]]] = [
    ("compressed with zstd: unpack it first", lambda at: weights(at, b"\x28\xb5\x2f\xfd abc")),
    ("a 7z archive: unpack it first", lambda at: weights(at, b"7z\xbc\xaf\x27\x1c abc")),
    ("a RAR archive: unpack it first", lambda at: weights(at, b"Rar! abc")),
    ("holds no state dict of named tensors", empty_weights),
    ("has more than 2 bytes", lambda at: read_text_file(written(at, "a", b"abc"), most=2)),
    (r"'a' is no number", lambda at: read_metrics(written(at, "m.jsonl", METRICS))),
    (r"its format has version \(2, 0\), expected \(1, 0\)", newer_array),
    ("suite.lists.files names lists of a folder, and --data .*a.csv is a file", list_beside),
    ("domain 'test' is called like a part: give it another name", domain_called_test),
    ("images must be a tensor .* got list", lambda at: require_pixels([])),
    ("images must be at least one, got none", lambda at: require_pixels(NO_PIXELS)),
    (
        r"dropped must be bool \[2, 2, 3\] \(B, gh, gw\), got torch.float32 \[1\]",
        lambda at: encoded(dropped=torch.zeros(1)),
    ),
    (
        r"dropped_per_image must be 0..6, the patches, got 7",
        lambda at: encoded(dropped=torch.zeros(2, 2, 3).bool(), dropped_per_image=7),
    ),
    (
        r"a head's weight must be \[K, D\] and its bias \[K\], got \[3\] and \[3\]",
        lambda at: Head(torch.zeros(3), torch.zeros(3), normalised=True),
    ),
    ("no rows were added", lambda at: GatheredRows(1, 1, lambda rows: rows).all()),
    ("a FixedView has no capture", lambda at: FixedView(torch.zeros(1, 2, 3)).capture),
    ("a FixedView has no outputs", lambda at: FixedView(torch.zeros(1, 2, 3)).clean),
    (
        "images of 5 x 4 pixels do not divide into 2 x 2 patches",
        lambda at: paste_patches(
            torch.zeros(1, 3, 5, 4), torch.ones(1, 2, 2).bool(), torch.zeros(1).long()
        ),
    ),
    ("evaluate takes paths; store a model", lambda at: cfft.evaluate([3])),  # type: ignore[list-item]
    (
        "--allow-changed weights belongs to --resume: a new run has nothing",
        lambda at: check_allowed(["weights"], resume=False),
    ),
    (
        "unknown thing that may change 'weight'; did you mean 'weights'",
        lambda at: check_allowed(["weight"], resume=True),
    ),
    (r"s: no \[\[row\]\]: give at least one", lambda at: parse_sweep("seeds = [1]\nrow = []", "s")),
    (
        "--rate belongs to a further view: write --set view.a.mask.rate=VALUE",
        lambda at: on_the_command_line(short={"rate": 0.5}),
    ),
    (
        "--set view.b: unknown view 'b'; in the file: a",
        lambda at: on_the_command_line(view_values={("b", "mask"): {"rate": 0.5}}),
    ),
    ("got 3 values, wanted 2", results_of_three_bounds),
    ("state.json holds no JSON object: restore it, or start a new run", state_of_a_list),
    ("no whole number 'step'", lambda at: read_metrics(written(at, "m.jsonl", 2 * b"{}\n"))),
    ("out is a file: give the folder of the sweep", sweep_into_a_file),
    (
        "its patches come from Identity",
        lambda at: tower(lambda made: setattr(made, "patch_embed", torch.nn.Identity())),
    ),
    (
        "its attention is gated",
        lambda at: tower(lambda made: setattr(made.blocks[0].attn, "gate", torch.nn.Identity())),
    ),
    (r"weigh\(\) must return a share from 0 to 1, got 2.0", lambda at: too_large_a_share()),
    (
        "no teacher 'x' takes part: the map has to name it in `follows`",
        lambda at: CleanPass.of(tiny_classifier(), tiny_batch(2)).teacher("x"),
    ),
    (r"set 'train': no image can be read \(2 tried\)", all_unreadable),
    ("mask cannot be called 'a b': use letters, digits", lambda at: too_short_a_name()),
    (r"mask 'nothing' \(.*Mask\) has no method select\(\)", lambda at: no_method()),
    ("default '0.5' is read as 0.5: write that", lambda at: other_default()),
    (
        r"f: two \[\[view\]\] are called 'a': rename one",
        lambda at: configuration(2 * '[[view]]\nlabel = "a"\nmask = "all"\nfill = "mean"\n'),
    ),
    (
        "nothing is learnt: task 'none' has no weight, and no --loss",
        lambda at: configuration('loss = []\nteacher = []\n[task]\nuse = "none"\n'),
    ),
]


@pytest.mark.parametrize(("words", "produce"), RARE, ids=[words[:50] for words, _ in RARE])
def test_a_rare_error_says_what_to_do(
    words: str, produce: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises((cfft.CfftError, ValueError, TypeError), match=words):
        produce(tmp_path)


def test_several_processes_are_told_to_name_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    with pytest.raises(cfft.ConfigError, match="several processes need one run directory: give"):
        cfft.run(epochs=1)


def test_merging_is_told_to_start_without_a_launcher(
    monkeypatch: pytest.MonkeyPatch, cfft_command: Callable[..., Any]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    ended = cfft_command("merge", "wise", "a", "b", "--out", "m.safetensors")

    assert ended.code == 2
    assert "cfft merge runs as one process: start it without a launcher" in ended.err


def test_a_single_model_to_merge_is_told_where_it_belongs(
    cfft_command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"w": torch.zeros(1)}, "a.pt")

    ended = cfft_command("merge", "wise", "a.pt", "--out", "m.safetensors")

    assert ended.code == 2
    assert "merge 'wise' got one model, a.pt: give the starting model first, as in" in ended.err


def test_output_that_is_lost_is_told() -> None:
    full = type("Full", (), {"failure": OSError(errno.ENOSPC, "No space left on device")})()

    with (
        pytest.raises(cfft.CfftError, match="stdout: No space left on device: part of what was"),
        Streams(full).checked(),
    ):
        pass
