"""What fine-tuners set: augmentation, sampling, rates by layer, epochs to keep, sizes of sets."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cfft.config.layers import Layer
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Plan, Silent
from cfft.training.run import run

EVERYTHING = {
    "augment": "crop,flip",
    "sampling": "balanced",
    "layer_decay": 0.5,
    "decay_on": "weights",
    "freeze": ["transformer.resblocks.0.*"],
    "val_metric": "loss",
    "keep_best": 2,
    "limit_eval": 3,
}


class StopError(Exception):
    """Stand for whatever ends a process without a warning."""


class Hearing(Silent):
    """Remember what a run says, and end it at an optimiser step."""

    def __init__(self, last: int | None = None) -> None:
        self.last, self.plan, self.best = last, dict[str, str](), list[float]()
        self.measurements: list[tuple[str, str, bool]] = []

    def planned(self, plan: Plan) -> None:
        self.plan = {name: value for _, name, value in plan.facts}

    def resumed(self, best: float) -> None:
        self.best.append(best)

    def measured(self, images: str, role: str, top1: float, *, before: bool) -> None:
        self.measurements.append((images, role, before))

    def stepped(self, step: int, metrics: object) -> None:
        if step == self.last:
            raise StopError


def losses(out: Path) -> list[float]:
    lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [line["val_loss"] for line in lines if "val_loss" in line]


def stored(out: Path, name: str) -> dict[str, torch.Tensor]:
    return dict(checkpoint.load_model(out / "checkpoints" / name).weights)


def test_a_resumed_run_with_every_option_ends_as_if_it_had_not_been_stopped(
    configure: Callable[..., RunConfig], layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.values["task", "cross-entropy"] = {"class_weights": "balanced", "label_smoothing": 0.1}
    config = configure(epochs=3, log_every=1, checkpoint_every="1", **EVERYTHING)
    unbroken, stopped = tmp_path / "unbroken", tmp_path / "stopped"
    hearing = Hearing()
    results = run(config, registry, unbroken)
    with pytest.raises(StopError):
        run(config, registry, stopped, reporter=Hearing(last=5))

    run(config, registry, stopped, resume=True, reporter=hearing)

    names = sorted(path.name for path in (unbroken / "checkpoints").iterdir())
    assert names == sorted(path.name for path in (stopped / "checkpoints").iterdir())
    assert sorted(names) == sorted(
        ["best", "last", *(f"epoch-{number}" for number in results.kept_epochs)]
    )
    for name in names:
        torch.testing.assert_close(stored(stopped, name), stored(unbroken, name), rtol=0, atol=0)
    assert losses(stopped) == losses(unbroken)
    assert hearing.best == [-losses(stopped)[0]]
    assert {
        name: hearing.plan[name] for name in ("augmentation", "sampling", "frozen", "class weights")
    } == {
        "augmentation": "crop,flip, the same for student and teachers",
        "sampling": "balanced: 9 images of each class an epoch on average, small classes "
        "repeatedly",
        "frozen": "transformer.resblocks.0.*: 12 parameters",
        "class weights": "blue 1.00, green 1.00, red 1.00: every class counts as 9 images",
    }


def test_epochs_are_kept_by_what_validation_is_asked_for(
    configure: Callable[..., RunConfig], registry: Registry, tmp_path: Path
) -> None:
    found = run(configure(epochs=4, keep_best=2, val_metric="loss"), registry, tmp_path)

    measured = losses(tmp_path)
    ranked = sorted(range(1, 5), key=lambda epoch: (measured[epoch - 1], -epoch))
    assert found.kept_epochs == tuple(ranked[:2])
    assert (found.best_epoch, found.best_val) == (ranked[0], min(measured))
    best = stored(tmp_path, f"epoch-{ranked[0]}")
    torch.testing.assert_close(stored(tmp_path, "best"), best, rtol=0, atol=0)


def test_frozen_parameters_stay_and_all_others_are_trained(
    configure: Callable[..., RunConfig], registry: Registry, tmp_path: Path
) -> None:
    run(configure(epochs=0), registry, tmp_path / "start")
    run(configure(epochs=1, freeze=["*.bias", "head"]), registry, tmp_path / "tuned")

    start, tuned = (stored(tmp_path / name, "best") for name in ("start", "tuned"))
    kept = {name for name in start if torch.equal(start[name], tuned[name])}
    assert kept == {name for name in start if name.endswith(".bias") or name == "head.weight"}


def test_limited_sets_are_measured_and_recorded_as_such(
    configure: Callable[..., RunConfig], registry: Registry, tmp_path: Path
) -> None:
    hearing = Hearing()

    found = run(configure(epochs=1, limit_eval=4), registry, tmp_path, reporter=hearing)

    assert {name: each.n for name, each in found.sets.items()} == {"sunny": 4, "dark": 4}
    assert found.config["training"]["limit_eval"] == 4
    assert hearing.measurements == [("sunny", "id", True), ("dark", "ood", True)]
    assert sum(each.n for each in found.sets["dark"].by_class) == 4


def test_a_run_need_not_measure_the_model_before_fine_tuning(
    configure: Callable[..., RunConfig], registry: Registry, tmp_path: Path
) -> None:
    config = configure(epochs=1, no_before=True)

    found = run(config, registry, tmp_path / "run")

    assert (found.before.sets, found.differences.sets) == ({}, {})
    assert not (tmp_path / "run" / "predictions" / "before").exists()
    with pytest.raises(ConfigError, match=r"--before names a run .* --no-before .* wants none"):
        run(config, registry, tmp_path / "other", before=tmp_path / "run")
    with pytest.raises(ConfigError, match="did not measure its model before fine-tuning"):
        run(configure(no_before=False), registry, tmp_path / "other", before=tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze": ["blocks.9"]}, r"--freeze 'blocks\.9' .* matches no parameter"),
        ({"augment": "flop"}, "--augment flop .*: unknown transform 'flop'"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_before_anything_is_written(
    configure: Callable[..., RunConfig],
    registry: Registry,
    tmp_path: Path,
    settings: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(configure(**settings), registry, tmp_path / "run")

    assert not (tmp_path / "run").exists()


def test_balanced_sampling_is_refused_where_a_task_compares_images(
    configure: Callable[..., RunConfig], layer: Layer
) -> None:
    layer.choose("task", ["contrastive"])

    with pytest.raises(
        ConfigError, match=r"--sampling balanced .* repeats images .* 'contrastive'"
    ):
        configure(sampling="balanced")


def test_a_run_that_goes_on_with_its_best_epoch_alone_keeps_no_others(
    configure: Callable[..., RunConfig], registry: Registry, tmp_path: Path
) -> None:
    assert run(configure(epochs=2, keep_best=2), registry, tmp_path).kept_epochs

    longer = configure(epochs=3, keep_best=1)
    found = run(longer, registry, tmp_path, resume=True, allowed=("settings",))

    assert found.kept_epochs == ()
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["best", "last"]
