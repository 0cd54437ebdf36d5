"""Files that commands write, and all who read them: each as the class of its format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cfft.cli import main
from cfft.evaluation.files.evaluation import EvaluationResults
from cfft.model.checkpoint import Manifest
from cfft.model.description import ModelDescription
from cfft.runtime.json_files import json_text, read_json
from cfft.scoring.spread import Spread
from cfft.training.results import RunResults
from cfft.training.sweep.outcome import SweepResults

Command = Callable[..., Any]
NEW_IN_RUNS = ("absent", "precision", "device", "processes")
NEW_IN_EVALUATIONS = ("skipped", "precision", "device", "processes")
NEW_OF_MODELS = ("head", "configuration", "facts", "run_digest")


@pytest.fixture(scope="module")
def made(world: Path, clip: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fine-tune and evaluate by command; return the folder of RUN and EVALUATION."""
    folder = tmp_path_factory.mktemp("made")
    run, evaluation = folder / "RUN", folder / "EVALUATION"
    config, weights = map(str, clip)
    done(
        *("run", "--suite", "domains", "--data", str(world), "--id", "sunny"),
        *("--model", config, "--pretrained", weights, "--prompts", "class-name"),
        *("--batch-size", "8", "--epochs", "1", "--workers", "0", "--out", str(run)),
    )
    asked = ("zero-shot", str(run), "--alphas", "0.5", "--workers", "0")
    done("eval", *asked, "--out", str(evaluation))
    return folder


def done(*words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0


@pytest.fixture
def written(made: Path, tmp_path: Path) -> Path:
    """Return a copy that may be changed."""
    return shutil.copytree(made, tmp_path / "written")


def without(file: Path, keys: tuple[str, ...], *of_models: str) -> None:
    """Write a file as an older version did."""
    content = json.loads(file.read_text())
    for key in keys:
        del content[key]
    for model in content.get("models", ()):
        for key in of_models:
            del model[key]
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("RUN/results.json", RunResults),
        ("EVALUATION/evaluation.json", EvaluationResults),
    ],
)
def test_a_file_that_is_read_and_written_again_is_the_same(
    name: str, shape: type, written: Path
) -> None:
    found = read_json(written / name, shape, "file")

    assert json_text(found) + "\n" == (written / name).read_text()


def test_files_of_a_checkpoint_are_read_as_their_classes(written: Path) -> None:
    best = written / "RUN" / "checkpoints" / "best"

    manifest = read_json(best / "manifest.json", Manifest, "manifest")
    model = read_json(best / "model.json", ModelDescription, "model description")

    assert manifest.files.keys() == {"model.json", "weights.safetensors"}
    assert json.loads(json_text(manifest)) == json.loads((best / "manifest.json").read_text())
    assert json.loads(json_text(model)) == json.loads((best / "model.json").read_text())


def test_a_report_and_recomputed_tables_say_what_run_and_evaluation_wrote(
    written: Path, cfft_command: Command
) -> None:
    run = read_json(written / "RUN" / "results.json", RunResults, "results")
    measured = read_json(
        written / "EVALUATION" / "evaluation.json", EvaluationResults, "evaluation"
    )

    report = json.loads(cfft_command("report", str(written / "RUN"), "--json").out)
    asked = ("--from-predictions", str(written / "EVALUATION"), "--out", str(written / "AGAIN"))
    again = cfft_command("eval", *asked, "--json")

    shown = {model["model"]: model["sets"]["dark"]["top1"] for model in report["models"]}
    assert shown == {
        "RUN, before": run.before.sets["dark"].top1,
        "RUN": run.sets["dark"].top1,
    }
    assert again.out == json_text(measured) + "\n"


def test_files_of_older_versions_are_read(written: Path, cfft_command: Command) -> None:
    run, evaluation = written / "RUN", written / "EVALUATION"
    without(run / "results.json", NEW_IN_RUNS)
    without(evaluation / "evaluation.json", NEW_IN_EVALUATIONS, *NEW_OF_MODELS)

    report = cfft_command("report", str(run), str(evaluation), "--json")
    again = [cfft_command("eval", "--from-predictions", str(place)) for place in (run, evaluation)]

    assert [ended.code for ended in (report, *again)] == [0, 0, 0]


def test_what_newer_versions_say_beside_it_is_passed_over(
    written: Path, cfft_command: Command
) -> None:
    for file in (written / "RUN" / "results.json", written / "EVALUATION" / "evaluation.json"):
        file.write_text(json.dumps({**json.loads(file.read_text()), "weather": "fine"}))

    ended = cfft_command("report", str(written / "RUN"), str(written / "EVALUATION"), "--json")

    assert ended.code == 0, ended.err


def test_a_sweep_tabulates_what_a_run_wrote_without_another_run(
    written: Path, world: Path, clip: tuple[Path, Path], cfft_command: Command
) -> None:
    (written / "sweep.toml").write_text(f"""
        [config.suite]
        use = "domains"
        data = '{world}'
        id = "sunny"
        [config.model]
        name = '{clip[0]}'
        pretrained = '{clip[1]}'
        prompts = "class-name"
        [config.training]
        batch_size = 8
        epochs = 1
        workers = 0
        [[row]]
        name = "mine"
    """)
    run = read_json(written / "RUN" / "results.json", RunResults, "results")
    shutil.copytree(written / "RUN", written / "SWEEP" / "mine" / "seed-0")
    out = written / "SWEEP"

    ended = cfft_command("sweep", str(written / "sweep.toml"), "--out", str(out), "--json")

    assert ended.code == 0, ended.err
    found = read_json(out / "sweep.json", SweepResults, "sweep")
    before, mine = found.rows
    assert before.sets["dark"].mean == run.before.sets["dark"].top1
    assert mine.sets["dark"] == Spread(run.sets["dark"].top1, None, 1)
    assert mine.validation == Spread(run.best_val_top1, None, 1)
    assert json_text(found) + "\n" == (out / "sweep.json").read_text() == ended.out
