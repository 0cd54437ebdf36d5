"""`cfft export`: what other programs load is the model, and its card says how."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

import cfft

Command = Callable[..., Any]
CLASSES = ["sea otter", "red fox", "emu"]
CLIP = {
    "embed_dim": 8,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 2, "head_width": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}
WIDE = {**CLIP, "vision_cfg": {**CLIP["vision_cfg"], "image_size": [16, 24]}}
PROMPTS = ["a photo of a sea otter", "An  emu's (blurry) PHOTO, 12 of them!"]


def fine_tuned(folder: Path, **model: Any) -> Path:
    """Store a model whose every weight differs from those that it started from."""
    made = cfft.starting_model(classes=CLASSES, **model)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in made.classifier.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=draw))
    cfft.save(made, folder)
    return folder


@pytest.fixture(scope="module")
def sources(write_clip: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the weights that the CLIPs were fine-tuned from, by their shape."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("square", "wide")}
    configs = {"square": CLIP, "wide": WIDE}
    return {name: write_clip(configs[name], folder)[1] for name, folder in folders.items()}


@pytest.fixture(scope="module")
def models(sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Store fine-tuned models: two CLIPs and one of timm; return their folders."""
    root = tmp_path_factory.mktemp("models")
    found = {
        name: fine_tuned(
            root / name,
            model=str(file.with_suffix(".json")),
            pretrained=str(file),
            prompts="class-name",
        )
        for name, file in sources.items()
    }
    images = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    batch = (images, torch.arange(6) % 3)
    small = {"model": "timm:test_vit", "pretrained": "random", "image_size": 32}
    found["timm"] = fine_tuned(root / "timm", **small, examples=[batch])
    return found


@pytest.fixture
def exported(
    cfft_command: Command, models: dict[str, Path], sources: dict[str, Path], tmp_path: Path
) -> Callable[..., Path]:
    """Return `exported(model, format)`, which exports and returns the new folder."""

    def export(model: str, to: str, *words: str) -> Path:
        out = tmp_path / to
        source = ["--pretrained", str(sources[model])] if model in sources else []
        ended = cfft_command(
            "export", str(models[model]), "--to", to, *source, *words, "--out", str(out)
        )
        assert ended.code == 0, ended.err
        return out

    return export


def images_for(model: Any) -> Tensor:
    size = model.preprocessing.size
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2))


def prepared(model: Any, images: Tensor) -> Tensor:
    """Normalise images as a user of another library does."""
    mean, std = (
        torch.tensor(v)[:, None, None] for v in (model.preprocessing.mean, model.preprocessing.std)
    )
    return (images - mean) / std


def directions(features: Tensor) -> Tensor:
    return F.normalize(features, dim=-1)


def text_of(weights: Path) -> Any:
    """Return open_clip's model with the weights that a CLIP was fine-tuned from."""
    import open_clip
    from safetensors.torch import load_file

    model = open_clip.CLIP(**CLIP)
    model.load_state_dict(load_file(weights))
    return model.eval()


@torch.no_grad()
def test_open_clip_loads_the_file_with_the_same_features_and_the_text_tower_of_the_source(
    exported: Callable[..., Path],
    models: dict[str, Path],
    sources: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import open_clip

    out, ours = exported("square", "open_clip"), cfft.load(models["square"])
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny-clip", CLIP)
    loaded = open_clip.create_model(
        "tiny-clip", pretrained=str(out / "open_clip_model.safetensors")
    )
    loaded.eval()

    images, tokens = images_for(ours), open_clip.tokenize(PROMPTS, context_length=12)
    found = directions(loaded.encode_image(prepared(ours, images)))
    torch.testing.assert_close(found, directions(ours.encoder(images)), rtol=0, atol=1e-6)
    wanted = text_of(sources["square"]).encode_text(tokens)
    torch.testing.assert_close(loaded.encode_text(tokens), wanted, rtol=0, atol=1e-6)


@torch.no_grad()
def test_timm_loads_its_own_model_with_the_classes_as_outputs(
    exported: Callable[..., Path], models: dict[str, Path]
) -> None:
    import timm

    out, ours = exported("timm", "timm"), cfft.load(models["timm"])
    loaded = timm.create_model(
        "test_vit", num_classes=3, img_size=32, checkpoint_path=str(out / "model.safetensors")
    ).eval()

    images = images_for(ours)
    torch.testing.assert_close(loaded(prepared(ours, images)), ours.logits(images))
    config = json.loads((out / "config.json").read_text())
    assert (config["architecture"], config["label_names"]) == ("test_vit", CLASSES)
    assert "license" not in config["pretrained_cfg"]


@torch.no_grad()
def test_timm_loads_the_image_tower_of_a_clip(
    exported: Callable[..., Path], models: dict[str, Path]
) -> None:
    import timm

    out, ours = exported("wide", "timm"), cfft.load(models["wide"])
    loaded = timm.create_model(f"local-dir:{out}", pretrained=True).eval()

    images = images_for(ours)
    found = directions(loaded(prepared(ours, images)))
    torch.testing.assert_close(found, directions(ours.encoder(images)), rtol=0, atol=1e-6)


@torch.no_grad()
def test_transformers_loads_both_towers_and_reads_prompts_alike(
    exported: Callable[..., Path], models: dict[str, Path], sources: dict[str, Path]
) -> None:
    transformers = pytest.importorskip("transformers", reason="needs cfft[hf]")
    import open_clip

    out, ours = exported("square", "hf"), cfft.load(models["square"])
    loaded = transformers.CLIPModel.from_pretrained(out).eval()
    processor = transformers.CLIPProcessor.from_pretrained(out)

    images = images_for(ours)
    found = loaded.get_image_features(prepared(ours, images)).pooler_output
    wanted = directions(ours.encoder(images))
    torch.testing.assert_close(directions(found), wanted, rtol=0, atol=1e-6)
    read = processor(text=PROMPTS, return_tensors="pt", padding=True, truncation=True)
    tokens = open_clip.tokenize(PROMPTS, context_length=12)
    theirs = text_of(sources["square"]).encode_text(tokens)
    torch.testing.assert_close(
        loaded.get_text_features(**read).pooler_output, theirs, rtol=0, atol=1e-6
    )


def test_onnxruntime_computes_features_and_logits_of_batches_of_any_size(
    exported: Callable[..., Path], models: dict[str, Path]
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs cfft[onnx]")
    pytest.importorskip("onnxscript", reason="needs cfft[onnx]")

    out, ours = exported("timm", "onnx"), cfft.load(models["timm"])
    session = onnxruntime.InferenceSession(out / "model.onnx")

    images = images_for(ours).repeat(4, 1, 1, 1)[:7]
    features, logits = session.run(["features", "logits"], {"images": images.numpy()})
    with torch.no_grad():
        wanted = ours.classifier(images)
    torch.testing.assert_close(torch.from_numpy(features), wanted.features, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.from_numpy(logits), wanted.logits, rtol=1e-4, atol=1e-4)
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["classes"]) == CLASSES


CARDS = [
    ("square", "open_clip", ()), ("wide", "open_clip", ()), ("square", "timm", ()),
    ("timm", "timm", ()), ("square", "hf", ("transformers",)),
    ("wide", "onnx", ("onnxruntime", "onnxscript")),
]  # fmt: skip


@pytest.mark.parametrize(("model", "to", "packages"), CARDS)
def test_the_code_of_the_card_labels_an_image_as_cfft_does(
    exported: Callable[..., Path],
    models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    to: str,
    packages: tuple[str, ...],
) -> None:
    for package in packages:
        pytest.importorskip(package, reason=f"{to} needs an extra of cfft")
    out, ours = exported(model, to), cfft.load(models[model])
    (code,) = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
    noise = torch.rand(53, 40, 3, generator=torch.Generator().manual_seed(3))
    image = Image.fromarray((255 * noise).byte().numpy()).resize((90, 70))
    image.save(out / "image.png")
    monkeypatch.chdir(out)

    names: dict[str, Any] = {}
    exec(code, names)

    with torch.no_grad():
        wanted = ours.logits(ours.preprocess(image)[None])
    found = torch.as_tensor(names["logits"])
    assert (found - wanted).abs().max() <= 0.02 * wanted.abs().max()


def test_the_head_lies_beside_the_model_with_its_classes(
    exported: Callable[..., Path], models: dict[str, Path]
) -> None:
    out, ours = exported("wide", "timm"), cfft.load(models["wide"])

    with safe_open(out / "head.safetensors", framework="pt") as file:
        assert {*file.keys()} == {"weight", "bias"}
        assert json.loads(file.metadata()["classes"]) == CLASSES
        assert file.metadata()["normalised"] == "true"
        torch.testing.assert_close(file.get_tensor("weight"), ours.head.weight.detach())
    assert json.loads((out / "classes.json").read_text()) == CLASSES


def test_all_files_of_an_export_may_be_read_by_the_same_people(
    exported: Callable[..., Path],
) -> None:
    out = exported("wide", "timm")

    assert len({path.stat().st_mode for path in out.iterdir()}) == 1


def test_a_card_states_no_licence_and_asks_for_one(exported: Callable[..., Path]) -> None:
    card = huggingface_hub.ModelCard((exported("wide", "timm") / "README.md").read_text())

    assert card.data.license is None
    assert card.data.library_name == "timm"
    assert "## Licence\n\nNot stated yet." in card.text
    assert "sea otter, red fox, emu" in card.text
    assert "No accuracies are stored with these weights" in card.text


@pytest.mark.slow  # the run is trained for it
def test_an_export_of_a_run_needs_no_further_words_and_its_card_has_the_results(
    cfft_command: Command, runs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "published"

    ended = cfft_command(
        "export", str(runs / "seed0"), "--to", "open_clip", "--out", str(out), "--json"
    )

    assert ended.code == 0, ended.err
    record = json.loads(ended.out)
    assert (record["exporter"], record["classes"], record["pushed"]) == ("open_clip", 3, None)
    assert record["files"].keys() == {path.name for path in out.iterdir()}
    assert 0 <= record["difference"]["features"] < 1e-5
    card = huggingface_hub.ModelCard((out / "README.md").read_text())
    found = json.loads((runs / "seed0" / "results.json").read_text())["sets"]
    assert {each.dataset_name: each.metric_value for each in card.data.eval_results} == {
        name: pytest.approx(measured["top1"], abs=1e-4) for name, measured in found.items()
    }
    low, high = (f"{100 * share:.1f}" for share in found["dark"]["ci95"])
    assert f"| {low} to {high} |" in card.text
    assert 'use = "domains"' in card.text
    home = str(runs.parent).encode()
    assert [path.name for path in out.iterdir() if home in path.read_bytes()] == []


def test_a_model_with_weights_of_its_own_is_exported_with_their_text_tower(
    cfft_command: Command, tmp_path: Path
) -> None:
    model, out = fine_tuned(tmp_path / "model", model="cfft-mini"), tmp_path / "out"

    ended = cfft_command("export", str(model), "--to", "open_clip", "--out", str(out))

    assert ended.code == 0, ended.err
    file = files("cfft_backbones") / "models" / "cfft-mini" / "open_clip_model.safetensors"
    source, exported = load_file(str(file)), load_file(out / "open_clip_model.safetensors")
    assert exported.keys() == source.keys()
    text = {name for name in source if not name.startswith("visual.")}
    assert all(torch.equal(exported[name], source[name].float()) for name in text)
    assert not torch.equal(exported["visual.proj"], source["visual.proj"].float())


@pytest.fixture
def refused(cfft_command: Command, models: dict[str, Path], tmp_path: Path) -> Callable[..., str]:
    """Return `refused(model, *words)`: the one line of an export that leaves nothing."""

    def export(model: str, *words: str) -> str:
        place = tmp_path / "place"
        ended = cfft_command("export", str(models[model]), "--out", str(place / "out"), *words)
        assert (ended.code, ended.out) == (2, "")
        assert not place.exists() or [*place.iterdir()] == []
        (line,) = ended.err.splitlines()
        return str(line)

    return export


def test_a_model_of_another_family_is_refused(refused: Callable[..., str]) -> None:
    line = refused("timm", "--to", "open_clip")

    assert line == (
        "error: format 'open_clip' takes models of open_clip, this one is of timm: choose another "
        "format, onnx takes all"
    )


def test_images_that_are_no_square_are_refused_where_the_format_has_squares_alone(
    refused: Callable[..., str],
) -> None:
    assert "takes models of square images, this one reads 16x24" in refused("wide", "--to", "hf")


@pytest.mark.parametrize(
    ("to", "package", "extra"),
    [("hf", "transformers", "cfft[hf]"), ("onnx", "onnxruntime", "cfft[onnx]")],
)
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    to: str,
    package: str,
    extra: str,
) -> None:
    for name in ("onnx", "onnxscript"):
        monkeypatch.setitem(sys.modules, name, type(sys)(name))
    monkeypatch.setitem(sys.modules, package, None)

    line = refused("square", "--to", to)

    assert f"format '{to}' needs the package {package}: pip install '{extra}'" in line


def test_a_checkpoint_does_not_know_the_weights_that_it_started_from(
    refused: Callable[..., str],
) -> None:
    line = refused("square", "--to", "open_clip")

    assert "holds no text tower" in line
    assert line.endswith("give --pretrained TAG or --pretrained FILE")


def test_weights_of_another_tower_are_refused(
    refused: Callable[..., str], write_clip: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    deeper = {**CLIP, "vision_cfg": {**CLIP["vision_cfg"], "layers": 3}}
    config, weights = write_clip(deeper, tmp_path_factory.mktemp("deeper"))

    source = ["--model", str(config), "--pretrained", str(weights)]
    line = refused("square", "--to", "open_clip", *source)

    assert "layers is 3, not 2" in line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--to", "onxn"], "unknown exporter 'onxn'; did you mean 'onnx'?"),
        (["--to", "timm", "--opset", "18"], "--opset is no option of exporter 'timm'"),
        (["--to", "onnx", "--opset", "7"], "opset: got '7', allowed: a whole number from 18"),
        (["--to", "timm", "--push", "a/b/c"], "--push a/b/c: "),
    ],
)
def test_wrong_words_are_refused(refused: Callable[..., str], words: list[str], line: str) -> None:
    assert line in refused("square", *words)


def test_a_folder_that_is_not_empty_stays_as_it_is(
    cfft_command: Command, models: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    ended = cfft_command("export", str(models["timm"]), "--to", "timm", "--out", str(tmp_path))

    line = f"error: --out {tmp_path} is not empty: give another directory\n"
    assert (ended.code, ended.err) == (2, line)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


STRANGER = """
import torch
import cfft

@cfft.exporter("plain")
class Plain:
    '''Write the whole model as one file for torch.load.'''
    scale: float = cfft.param(1.0, help="factor that spoils the features")

    def export(self, model, folder):
        torch.save((model.classifier, self.scale), folder / "model.pt")

    def reload(self, folder):
        classifier, scale = torch.load(folder / "model.pt", weights_only=False)

        def encoded(images):
            found = classifier(images)
            return cfft.Encoded(scale * found.features, found.logits)

        return encoded

@cfft.hookimpl
def cfft_exporters():
    return [Plain]
"""


def test_a_format_of_a_stranger_is_written_and_described_like_cfft_s_own(
    cfft_command: Command, install: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    install("cfft-plain", STRANGER)
    out = tmp_path / "out"

    ended = cfft_command("export", str(models["timm"]), "--to", "plain", "--out", str(out))

    assert ended.code == 0, ended.err
    names = {"README.md", "classes.json", "head.safetensors", "model.pt"}
    assert {path.name for path in out.iterdir()} == names


def test_an_export_that_is_another_model_is_not_kept(
    refused: Callable[..., str], install: Any
) -> None:
    install("cfft-plain", STRANGER)

    line = refused("timm", "--to", "plain", "--scale", "1.01")

    assert "format 'plain' does not hold this model: its features, loaded again, differ" in line


def test_an_export_of_several_processes_is_refused(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    line = refused("timm", "--to", "timm")

    assert line == "error: cfft export runs as one process: start it without a launcher"


def test_a_head_that_cfft_did_not_write_is_named(tmp_path: Path) -> None:
    (tmp_path / "head.safetensors").write_bytes(b"none")

    with pytest.raises(cfft.WeightsError, match=r"head\.safetensors: no head that cfft wrote \("):
        cfft.read_head(tmp_path)


def test_what_is_no_model_is_refused(cfft_command: Command, tmp_path: Path) -> None:
    words = ("export", "zero-shot", "--to", "timm", "--out", str(tmp_path / "out"))

    ended = cfft_command(*words)

    assert ended.code == 2
    assert "'zero-shot' is none: give one run directory, checkpoint directory or" in ended.err


class Hub:
    """Stand in for the client of the hub; `held`: files of the repository, None: there is none."""

    held: list[str] | None
    failing: bool
    calls: list[tuple[str, Any]]

    def whoami(self) -> dict[str, str]:
        return {"name": "me"}

    def repo_exists(self, repo: str) -> bool:
        return self.held is not None

    def list_repo_files(self, repo: str) -> list[str]:
        return self.held or []

    def create_repo(self, repo: str, *, private: bool, exist_ok: bool) -> str:
        self.calls.append(("create", (repo, private)))
        return f"https://hub/{repo}"

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> None:
        if self.failing:
            raise OSError("the line is dead.\nmore")
        self.calls.append(("upload", (repo_id, sorted(p.name for p in folder_path.iterdir()))))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a fake in the place of the hub's client, with somebody logged in."""
    fake = type("FakeHub", (Hub,), {"calls": [], "held": None, "failing": False})
    monkeypatch.setattr(huggingface_hub, "HfApi", fake)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_x")
    return fake


def test_nothing_is_sent_without_push(exported: Callable[..., Path], hub: Any) -> None:
    exported("timm", "timm")

    assert hub.calls == []


def test_push_makes_a_private_repository_of_everything_that_was_written(
    exported: Callable[..., Path], hub: Any
) -> None:
    out = exported("timm", "timm", "--push", "me/robust")

    names = sorted(path.name for path in out.iterdir())
    assert hub.calls == [("create", ("me/robust", True)), ("upload", ("me/robust", names))]
    assert "# me/robust\n" in (out / "README.md").read_text()


def test_push_without_a_token_is_refused_before_work(
    refused: Callable[..., str], hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)

    line = refused("timm", "--to", "timm", "--push", "me/robust")

    assert "nobody is logged in to the Hugging Face hub: run `hf auth login`" in line


def test_push_does_not_write_over_a_repository(refused: Callable[..., str], hub: Any) -> None:
    hub.held = [".gitattributes", "README.md"]

    line = refused("timm", "--to", "timm", "--push", "me/robust")

    assert "--push me/robust: that repository holds README.md already" in line


def test_a_hub_that_refuses_is_told_before_work(
    refused: Callable[..., str], hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whoami(self: Hub) -> dict[str, str]:
        raise OSError("the token has expired.\nmore")

    monkeypatch.setattr(hub, "whoami", whoami)

    line = refused("timm", "--to", "timm", "--push", "me/robust")

    assert line.endswith("--push me/robust: the hub refuses: the token has expired")


def test_an_export_stays_where_the_hub_fails(
    cfft_command: Command, models: dict[str, Path], hub: Any, tmp_path: Path
) -> None:
    hub.failing, out = True, tmp_path / "out"

    ended = cfft_command(
        *("export", str(models["timm"]), "--to", "timm", "--out", str(out), "--push", "me/robust")
    )

    assert ended.code == 2
    assert f"wrote {out}, but it could not be pushed to me/robust: the line is dead" in ended.err
    assert (out / "model.safetensors").is_file()
