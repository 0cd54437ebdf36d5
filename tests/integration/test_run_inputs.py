"""What a run was started with: a resumed one refuses anything else, or is told to take it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from cfft.config.layers import Layer, read_defaults, read_file
from cfft.config.resolve import resolve
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError, WeightsError
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Silent
from cfft.scoring.predictions import Predictions
from cfft.training.run import run

from .test_resume import Noting, StopError, Stopping, assert_same_run


@attrs.frozen
class Begun:
    """Hold an interrupted run: its directory, configuration, images and weights."""

    out: Path
    world: Path
    weights: Path
    prompts: Path
    registry: Registry

    def config(self) -> RunConfig:
        """Read the configuration as `--resume` does."""
        return resolve(self.registry, [read_file(self.out / "config.toml")])

    def resume(self, allowed: tuple[str, ...] = (), **settings: Any) -> Any:
        above = Layer("test", settings={"training": settings} if settings else {})
        config = resolve(self.registry, [read_file(self.out / "config.toml"), above])
        return run(config, self.registry, self.out, resume=True, allowed=allowed)

    def edit(self, before: str, now: str) -> None:
        path = self.out / "config.toml"
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, now))


@pytest.fixture
def begun(
    layer: Layer, registry: Registry, world: Path, clip: tuple[Path, Path], tmp_path: Path
) -> Begun:
    """Interrupt a run in its second epoch, on images and weights of its own."""
    own = shutil.copytree(world, tmp_path / "world")
    weights = shutil.copy(clip[1], tmp_path / "weights.safetensors")
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a photo of a {}\n")
    layer.values["suite", "domains"]["data"] = str(own)
    layer.settings["model"].update(pretrained=str(weights), prompts=str(prompts))
    layer.settings["training"].update(epochs=3, log_every=1)
    config = resolve(registry, [read_defaults(), layer])
    with pytest.raises(StopError):
        run(config, registry, tmp_path / "run", reporter=Stopping(task="epoch 2/3"))
    return Begun(tmp_path / "run", own, weights, prompts, registry)


def repaint(begun: Begun, domain: str) -> None:
    path = sorted((begun.world / domain).rglob("*.png"))[0]
    Image.new("RGB", (30, 20), "white").save(path)


def another_model(begun: Begun) -> None:
    tensors = load_file(begun.weights)
    tensors["visual.proj"] = tensors["visual.proj"] + 1e-3
    save_file(tensors, begun.weights)


@pytest.mark.parametrize(
    ("change", "said", "kind"),
    [
        (lambda begun: repaint(begun, "sunny"), "images: other content .* in sunny-val", "images"),
        (lambda begun: repaint(begun, "dark"), "images: other content .* in dark", "images"),
        (another_model, "weights: others in the file of the pre-trained model", "weights"),
        (
            lambda begun: begun.prompts.write_text("a sketch of a {}\n"),
            r"prompts: 'a photo of a \{\}' -> 'a sketch of a \{\}'",
            "prompts",
        ),
    ],
    ids=["training image", "OOD image", "weights", "prompts"],
)
def test_other_files_are_refused_and_taken_where_a_user_says_so(
    begun: Begun, change: Callable[[Begun], None], said: str, kind: str
) -> None:
    change(begun)

    with pytest.raises(ConfigError, match=rf"other files:\n  {said}\n.*--allow-changed {kind}"):
        begun.resume()
    found = begun.resume(allowed=(kind,))

    assert found.epochs == 3
    assert len(found.changes) == 1
    assert found.changes[0].startswith(kind)
    assert json.loads((begun.out / "results.json").read_text())["changes"] == list(found.changes)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("lr = 0.001", "lr = 0.01", r"training\.lr: 0\.001 -> 0\.01"),
        ("seed = 0", "seed = 1", r"seed: 0 -> 1"),
        ("epochs = 3", "epochs = 2", r"training\.epochs: 3 -> 2"),
        ("batch_size = 8", "batch_size = 4", r"training\.batch_size: 8 -> 4"),
        ("threshold = 0.3", "threshold = 0.6", r"threshold: 0\.3 -> 0\.6"),
        ("weight = 30.0", "weight = 7", r"loss\.feature-mse\.weight: 30.* -> 7"),
    ],
)
def test_an_edited_configuration_is_refused(begun: Begun, before: str, now: str, said: str) -> None:
    begun.edit(before, now)

    with pytest.raises(ConfigError, match=rf"is not what the run was started with:\n  .*{said}"):
        begun.resume()


def test_settings_of_the_next_steps_are_changed_where_a_user_says_so(begun: Begun) -> None:
    changed = {"lr": 5e-3, "weight_decay": 0.3, "schedule": "constant"}
    above = Layer("test", settings={"training": changed})
    config = resolve(begun.registry, [read_file(begun.out / "config.toml"), above])

    with pytest.raises(
        ConfigError, match=r"(?s)training\.lr: 0\.001 -> .*--allow-changed settings"
    ):
        begun.resume(**changed)
    with pytest.raises(StopError):
        run(
            config, begun.registry, begun.out,
            resume=True, allowed=("settings",), reporter=Stopping(step=4),
        )  # fmt: skip
    found = begun.resume()  # it is what the run was begun with now

    assert found.changes == (
        "training.lr: 0.001 -> 0.005 (from step 4 on)",
        "training.weight_decay: 0.1 -> 0.3 (from step 4 on)",
        "training.schedule: cosine -> constant (from step 4 on)",
    )
    lines = [json.loads(line) for line in (begun.out / "metrics.jsonl").read_text().splitlines()]
    rates = [line["lr"] for line in lines if "lr" in line]
    assert max(rates[:3]) <= 1e-3
    assert rates[3:] == [5e-3] * 6
    stored = checkpoint.load(begun.out / "checkpoints" / "last")
    assert stored.state is not None
    assert {g["weight_decay"] for g in stored.state["optimisation"]["groups"]} == {0.3}


def test_a_finished_run_takes_no_other_settings(begun: Begun) -> None:
    begun.resume()

    with pytest.raises(ConfigError, match=r"is finished, and was trained with other settings:\n"):
        begun.resume(allowed=("settings",), lr=5e-3)
    begun.edit("lr = 0.001", "lr = 0.01")
    with pytest.raises(ConfigError, match=r"training\.lr: 0\.001 -> 0\.01\n.*restore config\.toml"):
        begun.resume()


def test_a_run_is_made_longer(begun: Begun) -> None:
    found = begun.resume(epochs=4)

    assert found.epochs == 4
    assert found.changes == ("training.epochs: 3 -> 4",)
    assert begun.config().training.epochs == 4


def test_a_finished_run_is_made_longer(begun: Begun) -> None:
    assert begun.resume().epochs == 3
    found = begun.resume(epochs=5)

    assert found.epochs == 5
    lines = [json.loads(line) for line in (begun.out / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if "val_top1" in line] == [1, 2, 3, 4, 5]
    rates = [line["lr"] for line in lines if "lr" in line]
    assert rates[-1] < rates[-2]
    assert max(rates[-8:]) > 1e-4  # the next step has the rate of the longer schedule


@pytest.mark.parametrize(
    "name", ["predictions/dark.npz", "predictions/before/sunny.npz", "counterfactuals.png"]
)
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_what_a_finished_run_lost_is_made_again(
    begun: Begun, name: str, damage: Callable[[Path], object], tmp_path: Path
) -> None:
    begun.resume()
    whole = shutil.copytree(begun.out, tmp_path / "whole")
    damage(begun.out / name)

    begun.resume()

    assert_same_run(begun.out, whole)
    if name.endswith("png"):
        assert (begun.out / name).read_bytes() == (whole / name).read_bytes()
    else:
        files = json.loads((whole / "results.json").read_text())["files"]
        assert json.loads((begun.out / "results.json").read_text())["files"][name] == files[name]


class Warned(Silent):
    """Remember the warnings about a run."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def warned(self, message: str) -> None:
        self.messages.append(message)


def test_a_sheet_that_was_cut_off_is_drawn_again(begun: Begun) -> None:
    sheet = begun.out / "counterfactuals.png"
    whole = sheet.read_bytes()
    sheet.write_bytes(whole[: len(whole) // 2])

    found = begun.resume()

    assert sheet.read_bytes() == whole
    assert found.files[sheet.name].describes(sheet)


def test_metrics_of_a_finished_run_are_missed_and_nothing_is_made_again(begun: Begun) -> None:
    begun.resume()
    results, warned = (begun.out / "results.json").read_bytes(), Warned()
    with (begun.out / "metrics.jsonl").open("a") as file:
        file.write("{}\n")

    run(begun.config(), begun.registry, begun.out, resume=True, reporter=warned)

    (said,) = warned.messages
    assert said.endswith("cannot be made again: restore it from a copy")
    assert (begun.out / "results.json").read_bytes() == results


def test_a_finished_run_without_its_checkpoints_neither_counts_as_finished_nor_goes_on(
    begun: Begun,
) -> None:
    begun.resume()
    best, last = (begun.out / "checkpoints" / name for name in ("best", "last"))
    metrics = (begun.out / "metrics.jsonl").read_bytes()

    last.rename(begun.out / "last")
    assert begun.resume().epochs == 3  # nothing is left to do
    with pytest.raises(WeightsError, match=r"the checkpoint last of the run in .* is gone"):
        begun.resume(epochs=4)
    (begun.out / "last").rename(last)
    shutil.rmtree(best)
    with pytest.raises(WeightsError, match=r"the checkpoint best of the run in .* is gone"):
        begun.resume()

    assert (begun.out / "metrics.jsonl").read_bytes() == metrics


def test_a_run_that_began_without_a_checkpoint_begins_anew(begun: Begun, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    shutil.copy(begun.out / "config.toml", fresh)
    noting = Noting()

    with pytest.raises(ConfigError, match=r"is not empty.*--resume"):
        run(begun.config(), begun.registry, fresh)
    run(begun.config(), begun.registry, fresh, resume=True, reporter=noting)

    begun.resume()
    assert_same_run(fresh, begun.out)


def with_other(weights: Path, before: Path, name: str) -> None:
    """Copy weights and change those of one name a little."""
    tensors = load_file(before)
    tensors[name] = tensors[name] + 1e-2
    save_file(tensors, weights)


@pytest.fixture
def taught(layer: Layer, registry: Registry, clip: tuple[Path, Path], tmp_path: Path) -> Begun:
    """Interrupt a run whose teacher is a file that holds the model that it starts from."""
    layer.settings["training"].update(epochs=0)
    start = run(resolve(registry, [read_defaults(), layer]), registry, tmp_path / "start")
    assert start.epochs == 0
    teacher = shutil.copy(
        tmp_path / "start" / "checkpoints" / "best" / "weights.safetensors",
        tmp_path / "teacher.safetensors",
    )
    layer.choose("teacher", ["checkpoint"])
    layer.values["teacher", "checkpoint"] = {"path": str(teacher)}
    layer.values["loss", "feature-mse"] = {"teacher": "checkpoint"}
    layer.settings["training"].update(epochs=2)
    config = resolve(registry, [read_defaults(), layer])
    with pytest.raises(StopError):
        run(config, registry, tmp_path / "run", reporter=Stopping(task="epoch 2/2"))
    return Begun(tmp_path / "run", tmp_path, Path(teacher), clip[1], registry)


@pytest.mark.parametrize("name", ["visual.proj", "head.weight", "head.bias"])
def test_a_teacher_with_other_weights_anywhere_is_refused(taught: Begun, name: str) -> None:
    with_other(taught.weights, taught.weights, name)

    with pytest.raises(ConfigError, match="weights: others in the file of teacher 'checkpoint'"):
        taught.resume()
    found = taught.resume(allowed=("weights",))

    assert found.changes == ("weights: others in the file of teacher 'checkpoint'",)


@pytest.mark.parametrize("name", ["visual.proj", "head.weight"])
def test_a_teacher_that_began_with_other_weights_than_the_student_is_compared(
    taught: Begun, name: str, tmp_path: Path
) -> None:
    whole = shutil.copy(taught.weights, tmp_path / "whole.safetensors")
    with_other(taught.weights, whole, name)
    config, out = taught.config(), tmp_path / "other"
    with pytest.raises(StopError):
        run(config, taught.registry, out, reporter=Stopping(task="epoch 2/2"))

    shutil.copy(whole, taught.weights)
    with pytest.raises(ConfigError, match="weights: others in the file of teacher 'checkpoint'"):
        run(config, taught.registry, out, resume=True)
    with_other(taught.weights, whole, name)
    found = run(config, taught.registry, out, resume=True)

    assert found.changes == ()


def test_a_run_of_a_version_that_compared_fewer_teachers_goes_on(taught: Begun) -> None:
    last = taught.out / "checkpoints" / "last"
    stored = checkpoint.load(last)
    assert stored.state is not None
    del stored.state["surroundings"]["weights"]["checkpoint"]
    checkpoint.save(last, stored)

    found = taught.resume()

    assert (found.epochs, found.changes) == (2, ())


def test_a_run_of_a_version_that_knew_fewer_settings_goes_on(begun: Begun) -> None:
    last = begun.out / "checkpoints" / "last"
    stored = checkpoint.load(last)
    assert stored.state is not None
    del stored.state["surroundings"]["config"]["training"]["ties"]
    checkpoint.save(last, stored)

    found = begun.resume()

    assert (found.epochs, found.changes) == (3, ())


def test_a_run_that_patience_stopped_is_not_made_longer(begun: Begun) -> None:
    begun.resume()
    results = json.loads((begun.out / "results.json").read_text())
    (begun.out / "results.json").write_text(json.dumps({**results, "stopped_early": True}))

    with pytest.raises(ConfigError, match=r"--epochs 9: .* was stopped by training\.patience"):
        begun.resume(epochs=9)


def test_damaged_predictions_before_fine_tuning_are_not_taken(begun: Begun, tmp_path: Path) -> None:
    begun.resume()
    config, noting = begun.config(), Noting()
    damaged = begun.out / "predictions" / "before" / "dark.npz"
    damaged.write_bytes(damaged.read_bytes()[:-1])

    run(config, begun.registry, tmp_path / "other", reporter=noting, before=begun.out)

    assert any("measured anew" in message for message in noting.messages)
    again = Predictions.load(tmp_path / "other" / "predictions" / "before" / "dark.npz")
    assert len(again.labels) == 12
