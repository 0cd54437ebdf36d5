"""Whole runs on a tiny CLIP: what is on disk at the end, and what is refused before it starts."""

import json
import shutil
from collections.abc import Callable
from importlib.metadata import Distribution, entry_points
from pathlib import Path

import numpy as np
import pytest
import torch

from cfft.config.layers import Layer
from cfft.errors import ConfigError, DataError, PluginFailedError, TrainingError, WeightsError
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.runtime.json_files import as_json
from cfft.runtime.progress import Plan, Silent
from cfft.training.run import run


class Noting(Silent):
    """Remember what a run reports."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.warnings: list[str] = []

    def planned(self, plan: Plan) -> None:
        self.plan = plan

    def warned(self, message: str) -> None:
        self.warnings.append(message)


def facts(plan: Plan | None) -> dict[str, str]:
    return {name: value for _, name, value in plan.facts} if plan else {}


def test_a_run_leaves_a_complete_directory(configure, registry, tmp_path: Path) -> None:
    results = run(configure(), registry, tmp_path / "run")

    names = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*.*")}
    assert names == {
        "config.toml",
        "counterfactuals.png",
        "metrics.jsonl",
        "results.json",
        *(f"predictions/{name}.npz" for name in ("sunny", "dark", "before/sunny", "before/dark")),
        *(f"checkpoints/{kind}/{name}" for kind in ("best", "last") for name in MODEL_FILES),
        *(f"checkpoints/last/{name}" for name in ("optimizer.safetensors", "state.json")),
    }
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == as_json(results)


MODEL_FILES = ("weights.safetensors", "model.json", "manifest.json")


def test_results_follow_the_schema(configure, registry, tmp_path: Path) -> None:
    found = as_json(run(configure(), registry, tmp_path / "run"))

    assert (found["schema"], found["run"]) == (1, "run")
    assert {name: s["role"] for name, s in found["sets"].items()} == {"sunny": "id", "dark": "ood"}
    assert set(found["sets"]["dark"]) == {"role", "top1", "n", "classes", "ci95", "by_class"}
    assert found["ood_average"] == found["sets"]["dark"]["top1"]
    assert set(found["before"]) == {"sets", "ood_average"}
    assert (
        found["differences"]["ood_average"] == found["ood_average"] - found["before"]["ood_average"]
    )
    assert found["classes"] == ["blue", "green", "red"]
    assert (found["epochs"], found["stopped_early"], found["skipped"]) == (2, False, [])
    assert found["seconds"] > 0
    assert found["images_per_second"] > 0


def test_accuracies_can_be_recomputed_from_predictions(configure, registry, tmp_path: Path) -> None:
    found = run(configure(), registry, tmp_path)

    with np.load(tmp_path / "predictions" / "dark.npz") as kept:
        hits = kept["logits"].argmax(axis=1) == kept["labels"]

    assert hits.mean() == found.sets["dark"].top1


def test_metrics_have_a_line_per_interval_and_per_epoch(configure, registry, tmp_path) -> None:
    run(configure(log_every=2), registry, tmp_path)  # 27 images: 3 steps of 8 an epoch

    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]

    assert [(line["step"], line["epoch"], "val_top1" in line) for line in lines] == [
        (2, 1, False),
        (3, 1, False),
        (3, 1, True),
        (4, 2, False),
        (6, 2, False),
        (6, 2, True),
    ]
    assert set(lines[0]) == {
        *("step", "epoch", "loss", "ce", "feature-mse"),
        *("lr", "images_per_second", "grad_norm"),
    }


def test_the_loss_in_metrics_is_the_weighted_sum_of_its_terms(
    configure, registry, tmp_path: Path
) -> None:
    run(configure(), registry, tmp_path)

    line = first_line(tmp_path)

    assert line["loss"] == pytest.approx(line["ce"] + 30 * line["feature-mse"], rel=1e-5)


def test_training_makes_a_difference_and_the_best_epoch_is_evaluated(
    configure, registry, tmp_path: Path
) -> None:
    found = run(configure(epochs=8, lr=1e-2), registry, tmp_path)

    lines = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    reached = [line["val_top1"] for line in lines if "val_top1" in line]
    assert found.best_val_top1 == max(reached)
    assert found.best_epoch == 1 + reached.index(max(reached))
    assert found.sets["sunny"].top1 > found.before.sets["sunny"].top1


def test_a_dry_run_returns_the_plan_and_writes_nothing(configure, registry, tmp_path: Path) -> None:
    noting = Noting()

    data = run(configure(), registry, tmp_path / "run", dry_run=True, reporter=noting)

    assert not (tmp_path / "run").exists()
    assert data["batch"] == {"micro": 8, "processes": 1, "accumulation": 1, "effective": 8}
    assert data["steps"] == {"per_epoch": 3, "total": 6, "warmup": 0}
    assert [(entry["role"], entry["n"]) for entry in data["sets"]] == [
        ("train", 27),
        ("val", 3),
        ("id", 6),
        ("ood", 12),
    ]
    assert facts(noting.plan)["batch"] == "8 images x 1 process x 1 accumulated = 8"
    assert facts(noting.plan)["mask"] == "object (threshold 0.3)"


def test_a_share_that_a_mask_declares_is_warned_of_in_the_plan_and_once(
    configure, layer: Layer, registry, tmp_path: Path
) -> None:
    layer.values["mask", "object"] = {"share": 0.95}
    planned, trained = Noting(), Noting()

    run(configure(), registry, tmp_path / "run", dry_run=True, reporter=planned)
    run(configure(epochs=0), registry, tmp_path / "run", reporter=trained)

    (warning,) = (line for line in planned.plan.warnings if "hides" in line)
    assert "of every image, so that hardly anything of the originals is left" in warning
    assert [line for line in trained.warnings if "hides" in line] == []


def test_the_plan_warns_of_small_sets_and_long_warm_ups(configure, registry, tmp_path) -> None:
    config = configure(batch_size=32, warmup_steps=5)

    data = run(config, registry, tmp_path / "run", dry_run=True)

    assert "only 27 training images, less than one batch of 32" in data["warnings"][0]
    assert "warm-up of 5 steps does not end before the run" in data["warnings"][1]


def test_the_plan_names_a_batch_that_leaves_fewer_images_out(configure, registry, tmp_path) -> None:
    data = run(configure(batch_size=20), registry, tmp_path / "run", dry_run=True)

    assert "skips 7 of 27 training images" in data["warnings"][0]
    assert data["warnings"][0].endswith(": --batch-size 13 would fit better")


def test_the_same_configuration_gives_the_same_weights(configure, registry, tmp_path) -> None:
    for name in ("one", "two"):
        run(configure(), registry, tmp_path / name)

    one, two = (checkpoint.load_model(tmp_path / n / "checkpoints/best") for n in ("one", "two"))

    torch.testing.assert_close(one.weights, two.weights, rtol=0, atol=0)


def test_the_stored_configuration_repeats_the_run(configure, registry, tmp_path: Path) -> None:
    from cfft.config.layers import read_defaults, read_file
    from cfft.config.resolve import resolve

    config = configure()
    run(config, registry, tmp_path)

    again = resolve(registry, [read_defaults(), read_file(tmp_path / "config.toml")])

    assert again.to_dict() == config.to_dict()


@pytest.mark.parametrize("loss", ["none", "feature-mse"])
def test_accumulation_takes_the_mean_over_all_images_of_a_step(
    configure, layer: Layer, registry, tmp_path: Path, loss: str
) -> None:
    layer.choose("loss", [loss])
    if loss != "none":  # without donors, which every micro-batch draws for itself
        layer.choose("mask", ["object"])
        layer.choose("fill", ["none"])
    run(configure(epochs=1, batch_size=32), registry, tmp_path / "whole")
    run(configure(micro_batch=8), registry, tmp_path / "parts")  # 27 = 7 + 7 + 7 + 6

    whole, parts = (first_line(tmp_path / name) for name in ("whole", "parts"))

    assert whole["grad_norm"] == pytest.approx(parts["grad_norm"], rel=1e-5)
    assert whole["loss"] == pytest.approx(parts["loss"], rel=1e-6)


def first_line(directory: Path) -> dict[str, float]:
    """Return the first line of a run's metrics."""
    found: dict[str, float] = json.loads((directory / "metrics.jsonl").read_text().splitlines()[0])
    return found


def test_a_run_of_the_head_leaves_the_encoder_as_it_was(
    configure, layer, registry, tmp_path
) -> None:
    run(configure(epochs=0), registry, tmp_path / "start")
    layer.choose("adaptation", ["head"])
    run(configure(epochs=1), registry, tmp_path / "probe")

    start, probe = (
        checkpoint.load_model(tmp_path / name / "checkpoints" / "best").weights
        for name in ("start", "probe")
    )

    moved = {name for name in start if not torch.equal(start[name], probe[name])}
    assert moved == {"head.weight", "head.bias"}


def test_a_run_of_no_epochs_evaluates_the_model_that_it_would_start_from(
    configure, registry, tmp_path: Path
) -> None:
    found = run(configure(epochs=0), registry, tmp_path)

    assert found.sets == found.before.sets
    assert (found.best_epoch, found.images_per_second) == (0, 0.0)


def test_patience_ends_a_run_that_does_not_get_better(configure, registry, tmp_path) -> None:
    found = run(configure(epochs=9, lr=1e-30, patience=2), registry, tmp_path)

    assert (found.epochs, found.best_epoch, found.stopped_early) == (3, 3, True)


def test_patience_keeps_the_earliest_of_equal_epochs_where_that_is_asked(
    configure, registry, tmp_path
) -> None:
    config = configure(epochs=9, lr=1e-30, patience=2, ties="earlier")

    found = run(config, registry, tmp_path)

    assert (found.epochs, found.best_epoch, found.stopped_early) == (3, 1, True)


@pytest.mark.parametrize(
    "training",
    [
        {"precision": "bf16"},
        {"schedule": "one-cycle", "clip_at": "micro-batch", "micro_batch": 4},
        {"schedule": "constant", "warmup_steps": 1, "clip_norm": None},
        {"workers": 1},
    ],
)
def test_every_routine_comes_to_an_end(configure, registry, tmp_path: Path, training) -> None:
    found = run(configure(epochs=1, **training), registry, tmp_path)

    assert found.best_epoch == 1
    assert np.isfinite(first_line(tmp_path)["loss"])


def test_a_loss_that_is_not_finite_ends_the_run_and_spares_the_last_checkpoint(
    configure, registry, tmp_path: Path
) -> None:
    config = configure(lr=1e30, clip_norm=None, log_every=1)

    with pytest.raises(TrainingError, match=r"optimiser step 2 \(.*ce.*last good checkpoint"):
        run(config, registry, tmp_path)

    weights = checkpoint.load(tmp_path / "checkpoints" / "last").weights
    assert all(weight.isfinite().all() for weight in weights.values())


def test_a_linear_probe_starts_from_the_training_images(
    configure, layer: Layer, registry, tmp_path: Path
) -> None:
    layer.settings["model"]["head"] = "linear-probe"

    found = run(configure(epochs=0), registry, tmp_path)

    assert found.before.sets["sunny"].top1 > 0.5


def test_a_relative_loss_measures_its_teacher_once_and_remembers(
    configure, layer: Layer, registry, tmp_path: Path
) -> None:
    layer.values["loss", "feature-mse"] = {"scale": "relative"}

    run(configure(epochs=1), registry, tmp_path)

    stored = checkpoint.load(tmp_path / "checkpoints" / "last").state
    assert stored is not None
    assert stored["run"]["feature_variances"]["clip"] > 0


def test_several_teachers_work_in_one_run(
    configure, layer: Layer, registry, tmp_path: Path
) -> None:
    layer.choose("loss", ["none"])
    run(configure(epochs=1), registry, tmp_path / "vanilla")
    layer.choose("loss", ["feature-mse", "wise-kd"])
    layer.values["teacher", "wise"] = {"fine_tuned": str(tmp_path / "vanilla")}

    run(configure(), registry, tmp_path / "both")

    line = first_line(tmp_path / "both")
    total = line["ce"] + 30 * line["feature-mse"] + line["wise-kd"]
    assert line["loss"] == pytest.approx(total, rel=1e-5)


def test_limited_training_keeps_every_class(configure, registry, tmp_path: Path) -> None:
    data = run(configure(limit_train=7), registry, tmp_path / "run", dry_run=True)

    assert data["sets"][0] == {"name": "sunny-train", "role": "train", "n": 7, "classes": 3}


@pytest.fixture
def broken_world(layer: Layer, world: Path, tmp_path: Path) -> Path:
    """Point the run at a copy of the world with one truncated image."""
    copy = shutil.copytree(world, tmp_path / "broken")
    image = copy / "dark" / "red" / "02.png"
    image.write_bytes(image.read_bytes()[:200])
    layer.values["suite", "domains"]["data"] = str(copy)
    return image


def test_an_unreadable_image_stops_the_run_before_anything_is_written(
    configure, registry, tmp_path: Path, broken_world: Path
) -> None:
    with pytest.raises(DataError, match=r"02\.png"):
        run(configure(), registry, tmp_path / "run")

    assert not (tmp_path / "run").exists()


def test_a_skipped_image_is_recorded(configure, registry, tmp_path, broken_world: Path) -> None:
    found = run(configure(epochs=0, skip_unreadable=True), registry, tmp_path / "run")

    assert [entry["path"] for entry in found.skipped] == [str(broken_world)]
    assert found.sets["dark"].n == 11


def test_a_directory_that_holds_something_is_not_written_to(configure, registry, tmp_path) -> None:
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(ConfigError, match="is not empty: give another directory"):
        run(configure(), registry, tmp_path)


def test_a_fill_that_needs_donors_refuses_micro_batches_of_one(
    configure, registry, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="fill 'single' needs 2 images in every micro-batch"):
        run(configure(micro_batch=1), registry, tmp_path / "run")


def test_a_batch_that_cannot_be_divided_is_refused(configure, registry, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--batch-size 8 .* is no multiple of"):
        run(configure(micro_batch=3), registry, tmp_path / "run")


def test_a_bad_interval_of_checkpoints_is_refused(configure, registry, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="checkpoint_every: got '5s'"):
        run(configure(checkpoint_every="5s"), registry, tmp_path / "run")


def test_a_missing_teacher_is_found_before_training(
    configure, layer: Layer, registry, tmp_path: Path
) -> None:
    layer.choose("loss", ["wise-kd"])
    layer.values["teacher", "wise"] = {"fine_tuned": str(tmp_path / "nowhere")}

    with pytest.raises(WeightsError, match="nowhere"):
        run(configure(), registry, tmp_path / "run")

    assert not (tmp_path / "run").exists()


LISTENER = """
    import cfft

    heard = []

    @cfft.hookimpl
    def cfft_run_started(config, out):
        heard.append(("started", config.seed, out.name))

    @cfft.hookimpl
    def cfft_epoch_ended(epoch, metrics):
        heard.append(("epoch", epoch, "val_top1" in metrics))

    @cfft.hookimpl
    def cfft_run_ended(results):
        heard.append(("ended", results["schema"]))
"""


def test_plug_ins_hear_of_start_epochs_and_end(
    configure, tmp_path: Path, install: Callable[..., Distribution]
) -> None:
    points = [*entry_points(group="cfft"), *install("listener", LISTENER).entry_points]

    run(configure(), Registry.installed(points), tmp_path / "run")

    import listener

    assert listener.heard == [
        ("started", 0, "run"),
        ("epoch", 1, True),
        ("epoch", 2, True),
        ("ended", 1),
    ]


FAILING = """
    import cfft

    heard = []

    @cfft.hookimpl
    def cfft_run_ended(results):
        heard.append(results["run"])
        if len(heard) == 1:
            raise RuntimeError("no network")
"""


def test_a_hook_that_failed_at_the_end_of_a_run_is_called_again_and_then_no_more(
    configure, tmp_path: Path, install: Callable[..., Distribution]
) -> None:
    points = [*entry_points(group="cfft"), *install("failing", FAILING).entry_points]
    registry, out = Registry.installed(points), tmp_path / "run"

    with pytest.raises(PluginFailedError, match="no network"):
        run(configure(epochs=0), registry, out)
    for _ in range(2):
        assert run(configure(epochs=0), registry, out, resume=True).run == "run"

    import failing

    assert failing.heard == ["run", "run"]
    assert not (out / ".cfft.untold").exists()
