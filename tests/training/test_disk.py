"""The disk that a run takes, and the refusal of one that cannot be stored."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from cfft.config.layers import usual
from cfft.errors import ConfigError
from cfft.training.disk import DiskUse, check_disk, disk_use

WEIGHTS = 4 * (30 * 20 + 20)  # bytes of nn.Linear(30, 20)


def run(frozen: tuple[str, ...] = (), meanwhile: int = 0, **settings: Any) -> DiskUse:
    """Return the use of a run with a tower of one layer, 5 test and 3 + 2 OOD images, 4 classes."""
    training = {"keep_best": 1, "epochs": 2, "no_before": False, **settings}
    adaptation = training.pop("adaptation", usual("adaptation"))
    config: Any = SimpleNamespace(
        training=SimpleNamespace(**training),
        adaptation=SimpleNamespace(name=adaptation),
        average=training.pop("average", None),
        merge=training.pop("merge", None),
    )
    encoder = nn.Module()
    encoder.tower = nn.Linear(30, 20)
    sets = SimpleNamespace(test=range(5), ood=(range(3), range(2)), classes=list("abcd"))
    prepared: Any = SimpleNamespace(
        pretrained=SimpleNamespace(encoder=encoder), sets=sets, frozen={"pattern": frozen}
    )
    return disk_use(config, prepared, meanwhile)


def test_a_run_keeps_two_models_the_optimiser_and_predictions_before_and_after() -> None:
    predictions = 2 * 10 * 4 * 4

    assert run() == DiskUse(4 * WEIGHTS + predictions, 7 * WEIGHTS + predictions)
    assert run(no_before=True).kept == 4 * WEIGHTS + predictions // 2
    assert run(keep_best=3).kept - run().kept == 2 * WEIGHTS
    assert run(merge="wise").kept - run().kept == WEIGHTS
    assert run(average="ema").kept - run().kept == WEIGHTS


def test_what_is_not_trained_needs_no_optimiser() -> None:
    bias = 4 * 20

    assert run().kept - run(frozen=("visual.weight",)).kept == 2 * (WEIGHTS - bias)
    assert run().kept - run(adaptation="another").kept == 2 * WEIGHTS
    assert run(epochs=0).peak == run(epochs=0).kept


def test_what_lies_there_while_a_run_trains_is_not_kept() -> None:
    assert run(meanwhile=100) == DiskUse(run().kept, run().peak + 100)


def test_runs_one_after_another_keep_what_all_keep() -> None:
    assert DiskUse(10, 30) + DiskUse(5, 8) == DiskUse(15, 30)
    assert DiskUse(10, 12) + DiskUse(5, 8) == DiskUse(15, 18)


def test_a_run_that_cannot_be_stored_is_refused_with_both_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cfft.training.disk.free_disk", lambda _: 10**9)

    with pytest.raises(ConfigError) as caught:
        check_disk(DiskUse(10**9, 1_500_000_000), tmp_path / "RUN")
    check_disk(DiskUse(10**8, 10**9), tmp_path / "RUN")

    assert str(caught.value) == (
        f"--out {tmp_path / 'RUN'}: the run needs at least 1.5 GB of disk and 1 GB are free: free "
        "some, or give --out DIR on another disk"
    )
