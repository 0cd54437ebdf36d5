"""Small runs, an evaluation and an imported file, as cfft and others write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from PIL import Image

from cfft.report.sources.collect import collect
from cfft.report.summary import summarise
from cfft.report.write import write_report
from cfft.runtime.json_files import as_json, write_json
from cfft.scoring.predictions import Predictions
from cfft.scoring.results import Role, SetResult
from cfft.training.results import ModelResults, RunResults
from cfft.training.run_directory import RunDirectory

Write = Callable[..., Path]
SETS: dict[str, Role] = {"photo": "id", "drawing": "ood", "sketch": "ood"}


def results(*shares: float) -> dict[str, SetResult]:
    """Return accuracies on photo (ID), drawing and sketch."""
    return {
        name: SetResult(role, top1, 10, 3, (top1 - 0.1, top1 + 0.1))
        for (name, role), top1 in zip(SETS.items(), shares, strict=True)
    }


def predictions(path: Path, *chosen: int) -> None:
    """Write what five images were taken for: two cats, a dog, two eels."""
    logits = torch.nn.functional.one_hot(torch.tensor(chosen), 3).float()
    names = tuple(f"{number}.png" for number in range(5))
    Predictions(logits, torch.tensor([0, 0, 1, 2, 2]), names, (0, 1, 2)).save(path)


def configuration(seed: int, **tables: Mapping[str, Any]) -> dict[str, Any]:
    versions = {"cfft": {"version": "0.1.0"}, "plugins": {"cfft": "0.1.0"}}
    return {"seed": seed, "model": {"name": "tiny"}, "training": {"lr": 0.1}, **tables, **versions}


def run_in(root: Path, name: str, shares: tuple[float, ...], seed: int = 0, **tables: Any) -> Path:
    """Write a finished run."""
    run = RunDirectory(root / name)
    run.root.mkdir(parents=True)
    run.config.write_text(f"seed = {seed}\n")
    write_json(
        run.results,
        RunResults(
            config=configuration(seed, **tables),
            sets=results(*shares),
            before=ModelResults(results(0.6, 0.55, 0.5), 0.525),
            classes=("cat", "dog", "eel"),
        ),
    )
    lines = [
        {"step": 1, "epoch": 1, "loss": 2.0, "lr": 0.1},
        {"step": 2, "epoch": 1, "loss": 1.0, "lr": 0.05},
        {"step": 2, "epoch": 1, "val_top1": 0.8, "seconds": 1.0},
    ]
    run.metrics.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    Image.new("RGB", (40, 60), (seed, 100, 200)).save(run.sheet)
    predictions(run.predictions("drawing"), 0, 1, 1, 0, 0)
    predictions(run.predictions("sketch"), 0, 0, 1, 2, 1)
    return run.root


def evaluation_in(root: Path, name: str, **more: Any) -> Path:
    """Write three weight ensembles and a difference, or `models`, as `cfft eval` does."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    models = [
        {
            "model": f"mix {alpha}",
            "group": "mix",
            "seed": 0,
            "alpha": alpha,
            "predictions": None,
            "sets": as_json(results(0.6 + 0.3 * alpha, 0.5 + 0.2 * alpha, 0.5)),
            "ood_average": 0.5 + 0.1 * alpha,
            "ood_ci95": [0.4, 0.7],
        }
        for alpha in (0.0, 0.5, 1.0)
    ]
    gap = {"difference": 0.1, "ci95": [0.02, 0.18]}
    pair = {"a": "mix 1.0", "b": "mix 0.0", "ood_average": gap, "sets": {"drawing": gap}}
    content = {"schema": 1, "models": models, "differences": [pair], **more}
    content["models"] = [{"source": "runs/mix", "kind": "run", **m} for m in content["models"]]
    (folder / "evaluation.json").write_text(json.dumps(content))
    return folder


def lines_in(root: Path, *lines: str | Mapping[str, Any], name: str = "models.jsonl") -> Path:
    """Write texts or objects as JSON lines."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (root / name).write_text("".join(f"{text}\n" for text in texts))
    return root / name


@pytest.fixture
def write_run(tmp_path: Path) -> Write:
    return partial(run_in, tmp_path)


@pytest.fixture
def write_evaluation(tmp_path: Path) -> Write:
    return partial(evaluation_in, tmp_path)


@pytest.fixture
def write_lines(tmp_path: Path) -> Write:
    return partial(lines_in, tmp_path)


@attrs.frozen
class Sources:
    """Hold what a report is made from that has every section."""

    patterns: list[str]
    imports: list[Path]

    @property
    def words(self) -> list[str]:
        """The same on the command line."""
        return [
            *self.patterns,
            *(word for path in self.imports for word in ("--import", str(path))),
        ]


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Write runs of two seeds and of another method, an evaluation, and an import."""
    root = tmp_path_factory.mktemp("sources")
    method: dict[str, Any] = {"mask": {"use": "object"}, "fill": {"use": "single"}}
    runs = [
        run_in(root, "a0", (0.8, 0.7, 0.6), seed=0, **method),
        run_in(root, "a1", (0.9, 0.6, 0.6), seed=1, **method),
        run_in(root, "plain", (0.95, 0.5, 0.4)),
    ]
    imported = {"model_name": "other", "photo": 0.7, "drawing": 0.6, "sketch": 0.55}
    paths = [*runs, evaluation_in(root, "evaluation")]
    return Sources(list(map(str, paths)), [lines_in(root, imported, name="others.jsonl")])


@pytest.fixture(scope="session")
def report(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report that has every section."""
    out = tmp_path_factory.mktemp("report")
    write_report(summarise(collect(sources.patterns, sources.imports), baseline=["*"]), out)
    return out
